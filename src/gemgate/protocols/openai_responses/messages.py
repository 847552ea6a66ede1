"""The messages of an answer: sources and probabilities go to the one in which they begin, also to a closed one."""

from collections.abc import Sequence

from gemgate.hub.events import TokenLogprob
from gemgate.protocols.openai_responses.annotations import Sources
from gemgate.protocols.openai_responses.message import Message, Status
from gemgate.protocols.openai_responses.output import Output


class Messages:
    """All messages of an answer, one open at a time. What an upstream tells late waits for the end of the answer."""

    __slots__ = ("_all", "_output", "_sources", "_tokens", "_weighed")

    def __init__(self, output: Output, sources: Sources) -> None:
        self._output = output
        self._sources = sources
        self._all: list[Message] = []
        self._tokens: list[tuple[int, TokenLogprob]] = []
        """Those that wait, each with the character of the answer at which it begins."""
        self._weighed = 0
        """How many characters the tokens have had so far."""

    def begin(self, item_id: str) -> Message:
        """Open one; those before it are closed."""
        message = Message(self._output, item_id, self._all[-1].end if self._all else 0)
        self._all.append(message)
        return message

    def weigh(self, tokens: Sequence[TokenLogprob]) -> None:
        """Keep the probabilities of tokens; they come with or after their text, so before any text they are of none."""
        if not self._all:
            return
        for token in tokens:
            self._tokens.append((self._weighed, token))
            self._weighed += len(token.token)

    def close(self, message: Message, status: Status) -> None:
        """End the one that is open, with what is known to begin in it."""
        message.stop()
        for citation in self._sources.starting_in(message.begun, message.end):
            message.cite(citation, self._sources.found[citation.url])
        message.weigh(token for place, token in self._tokens if message.begun <= place < message.end)
        self._tokens = [(place, token) for place, token in self._tokens if not message.begun <= place < message.end]
        message.close(status)

    def deal(self) -> None:
        """Give all that waits to the messages, as nothing more will be said; the open one can still tell of it."""
        if not self._all:
            return
        self._all[-1].stop()
        for citation in self._sources.all_waiting():
            self._at(citation.start).cite(citation, self._sources.found[citation.url])
        for place, token in self._tokens:
            self._at(place).weigh((token,))
        self._tokens = []

    def amend(self) -> None:
        """Write those anew that were given something after they were closed."""
        for message in self._all:
            message.amend()

    def _at(self, place: int) -> Message:
        """Give the message in which a character of the answer stands; beyond the end it is the last that has words."""
        for message in reversed(self._all):
            if message.begun <= place and message.begun < message.end:
                return message
        return self._all[0]
