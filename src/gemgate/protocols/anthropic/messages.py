"""The messages and the system text of a request → the hub's."""

from collections.abc import Sequence
from functools import cached_property

from msgspec import Raw, Struct

from gemgate.errors import InvalidRequest
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Media, Message, Part, Role, Signature, Text, ToolCall, ToolResult
from gemgate.protocols.anthropic import wire
from gemgate.protocols.anthropic.blocks import listed, parts
from gemgate.protocols.anthropic.model_turns import ModelTurn, signed
from gemgate.protocols.anthropic.notes import Notes
from gemgate.protocols.anthropic.results import result
from gemgate.protocols.shared.images import OPENING
from gemgate.protocols.shared.located import is_remote
from gemgate.protocols.shared.raw_json import is_given

BILLING = "x-anthropic-billing-header:"
"""A line that one client puts first; it changes with each request, and defeats caching upstream (notes §10.1)."""

ROLES: dict[str, Role] = {"user": "user", "assistant": "model"}


class Conversation(Struct, frozen=True):
    """What was said.

    `paths` tells where in the request each of the media stood, `remote` whether any is at an address. `defined` are
    tools that are defined among the messages, with their paths; `withdrawn` the names of those that are taken away;
    `named` of those that are added, found or called. `effort` is the last that a message of the system's asks for, with
    its path; `families` are the models whose signatures came along.
    """

    system: tuple[Part, ...]
    messages: tuple[Message, ...]
    dropped: tuple[Dropped, ...]
    paths: dict[str, str]
    remote: bool
    defined: tuple[tuple[str, Raw], ...]
    withdrawn: frozenset[str]
    named: frozenset[str]
    effort: tuple[str, str] | None
    families: frozenset[str]


def conversation(system: wire.Content, given: Sequence[wire.Message]) -> Conversation:
    """System messages before the first of anybody else are system text; later ones stay, as the user's words."""
    reading = _Reading(given)
    reading.add_system(system, "system")
    for number, message in enumerate(given):
        content, role = message.content, ROLES.get(message.role)
        if type(content) is str and role is not None and (role == "user" or OPENING not in content):
            # By far the most frequent: text, and nothing else.
            reading.append(role, (Text(content),) if content else ())
        else:
            reading.add(message, number)
    reading.close()
    notes = reading.notes
    return Conversation(
        system=tuple(reading.system),
        messages=tuple(reading.messages),
        dropped=tuple(notes.dropped),
        paths=reading.paths,
        remote=reading.remote,
        defined=tuple(notes.defined),
        withdrawn=frozenset(notes.withdrawn),
        named=frozenset(notes.named),
        effort=reading.effort,
        families=frozenset(notes.families),
    )


class _Reading:
    """What is known of a conversation while it is read."""

    def __init__(self, given: Sequence[wire.Message]) -> None:
        self._given = given
        self.system: list[Part] = []
        self.messages: list[Message] = []
        self.notes = Notes()
        self.paths: dict[str, str] = {}
        self.remote = False
        self.effort: tuple[str, str] | None = None
        self._names: dict[str, str] = {}
        self._calls: dict[str, Signature] = {}
        """Signatures of calls in the messages of the model's that are being read, the first of which is at `_run`."""
        self._run = 0

    def add(self, message: wire.Message, number: int) -> None:
        """Append one message, the one of this number."""
        path = f"messages.{number}"
        match message.role:
            case "user":
                self._add_user(message.content, path)
            case "assistant":
                self._add_model_turn(message.content, path)
            case "system":
                if message.output_config is not None and message.output_config.effort:
                    self.effort = message.output_config.effort, f"{path}.output_config.effort"
                if message.clear_at == "next_user_message" and number < self._last_of_user:
                    return
                self.add_system(message.content, f"{path}.content")
            case role:
                raise InvalidRequest(
                    f"{role[:80]!r} is no role. It is one of user, assistant, system.", param=f"{path}.role"
                )

    def add_system(self, content: wire.Content, path: str) -> None:
        """Append what the system says; `path` is that of its content."""
        made: list[Part] = []
        early = not self.messages
        for number, block in enumerate(listed(content)):
            if block.text is not None and block.text.startswith(BILLING):
                block = wire.Block("text", block.text.partition("\n")[2])
            found = parts(block, f"{path}.{number}", self.notes)
            first = len(self.system) + len(made)
            self._note(found, "system" if early else self._place, first if early else len(made), f"{path}.{number}")
            made += found
        if early:
            self.system += made
        elif made:
            self.append("user", made)

    def append(self, role: Role, made: Sequence[Part]) -> None:
        """Append a message that is read; with words of the user's the model's step is over."""
        if role == "user" and made:
            self.close()
        self.messages.append(Message(role, tuple(made)))
        if role == "user" and made:
            self._run = len(self.messages)

    def close(self) -> None:
        """Sign the calls of the model's step."""
        if self._calls:
            self.messages[self._run :] = signed(self.messages[self._run :], self._calls)
            self._calls.clear()

    @cached_property
    def _last_of_user(self) -> int:
        return max((number for number, message in enumerate(self._given) if message.role == "user"), default=-1)

    @property
    def _place(self) -> str:
        return f"messages.{len(self.messages)}.parts"

    def _add_user(self, content: wire.Content, path: str) -> None:
        made: list[Part] = []
        for number, block in enumerate(listed(content)):
            place = f"{path}.content.{number}"
            if block.type == "tool_result":
                found: Sequence[Part] = (result(block, place, self._names, self.notes),)
            else:
                found = parts(block, place, self.notes)
            self._note(found, self._place, len(made), _where(block, place))
            made += found
        self.append("user", made)

    def _add_model_turn(self, content: wire.Content, path: str) -> None:
        made: list[Part] = []
        blocks = listed(content)
        turn = ModelTurn(blocks, self.notes, self._calls)
        for number, block in enumerate(blocks):
            place = f"{path}.content.{number}"
            found = turn.parts(block, place)
            for part in found:
                if isinstance(part, ToolCall):
                    self._names[part.id] = part.name
                    self.notes.named.add(part.name)
            self._note(found, self._place, len(made), _where(block, place))
            made += found
        self.append("model", made)

    def _note(self, found: Sequence[Part], place: str, first: int, path: str) -> None:
        """Remember where media and results came from."""
        for index, part in enumerate(found, first):
            if isinstance(part, (Media, ToolResult)):
                self.paths[f"{place}.{index}"] = path
                self.remote = self.remote or is_remote(part)


def _where(block: wire.Block, path: str) -> str:
    return path if not is_given(block.source) else f"{path}.source"
