"""Watching a reply for what the model signs."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Event,
)
from gemgate.hub.fold import closed
from gemgate.hub.parts import Message, Opaque, Part, Signature, Text
from gemgate.pipeline.recall.keys import words
from gemgate.pipeline.recall.pieces import Record, joined, pieces

NOTHING: Callable[[str], None] = deque[str](maxlen=0).append
"""Takes text and holds none of it."""


class Watch:
    """Watches one reply; `keep` hands over what is to be remembered, by key.

    `said` is what the user said last, `family` names the models that understand the signatures.
    """

    __slots__ = ("_caller_id", "_choices", "_family", "_remember", "_said")

    def __init__(
        self, remember: Callable[[Mapping[bytes, Record]], None], caller_id: str, family: str, said: Message | None
    ) -> None:
        self._remember = remember
        self._caller_id = caller_id
        self._family = family
        self._said = said
        self._choices: dict[int, _Choice] = {}

    def see(self, events: Sequence[Event]) -> None:
        """Take note of a batch of events."""
        choices = self._choices
        for event in events:
            if type(event) is BlockDelta:  # by far the most frequent
                choices[event.choice].add(event.text)
            elif type(event) is BlockStart:
                choice = choices.get(event.choice)
                if choice is None:
                    choice = choices[event.choice] = _Choice()
                choice.begin(event.part)
            elif type(event) is BlockEnd:
                choices[event.choice].end(event.signature)

    def keep(self) -> None:
        """Remember what was signed, at the end of the reply or where it broke off; a second time nothing happens."""
        choices, self._choices = self._choices, {}
        signed = [choices[index].parts() for index in sorted(choices, reverse=True) if choices[index].signed]
        if not signed:
            return
        records: dict[bytes, Record] = {}
        said = words(self._said)
        for parts in signed:  # the first choice last: where two say the same, clients go on with that one
            records |= self._records(parts, said)
        if records:
            self._remember(records)

    def _records(self, parts: list[Part], said: bytes) -> dict[bytes, Record]:
        found = pieces(parts)
        runs = [piece for piece in found if piece.anchor is None]
        if len(runs) > 1:
            found = [joined(runs), *found]
        records = ((piece.key(self._caller_id, said), piece.record(self._family)) for piece in found)
        return {key: record for key, record in records if record is not None}


class _Choice:
    """What one choice has said; texts stay in pieces until they are needed whole."""

    __slots__ = ("_open", "_parts", "_pieces", "add", "signed")

    def __init__(self) -> None:
        self._parts: list[tuple[Part, list[str]]] = []
        self._open: Part | None = None
        self._pieces: list[str] = []
        self.add = NOTHING
        self.signed = False

    def begin(self, part: Part) -> None:
        self._open = part
        if isinstance(part, Text):
            self._pieces = []
            self.add = self._pieces.append
        else:
            self.add = NOTHING

    def end(self, signature: Signature | None) -> None:
        part, self._open, self.add = self._open, None, NOTHING
        if part is None:
            return
        if signature is not None:
            part = closed(part, "", signature)
        self._parts.append((part, self._pieces if isinstance(part, Text) else []))
        self.signed = self.signed or isinstance(part, Opaque) or part.signature is not None

    def parts(self) -> list[Part]:
        """Give what is complete; of a text that broke off what there is of it, as the client has that too."""
        parts = [closed(part, "".join(pieces), None) for part, pieces in self._parts]
        if isinstance(self._open, Text):
            parts.append(Text(self._open.text + "".join(self._pieces)))
        return parts
