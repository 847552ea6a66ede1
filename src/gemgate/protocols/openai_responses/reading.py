"""A conversation while it is read, item by item."""

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Raw
from msgspec.structs import replace

from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Code, Media, Message, Opaque, Part, Signature, Text, ToolCall, ToolResult
from gemgate.protocols.shared.located import is_remote
from gemgate.protocols.shared.seals import target

MAX_TOLD = 100
"""Of what is lost in one conversation; more help nobody."""
KEPT = "input"
"""The path of whatever was kept by the server: it stands nowhere in the request."""


Placed = tuple[Part, str]
"""A part, and where in the request it stood."""


class Reading:
    """Gathers messages: neighbouring items of the model's are one, neighbouring results of functions are one.

    While `kept` is set, what is added comes from the server and not from the request.
    """

    def __init__(self) -> None:
        self.system: list[Part] = []
        self.messages: list[Message] = []
        self.dropped: list[Dropped] = []
        self.defined: list[tuple[str, Raw]] = []
        self.paths: dict[str, str] = {}
        self.names: dict[str, str] = {}
        """Of the functions that were called, by the ids of the calls."""
        self.families: set[str] = set()
        self.remote = False
        self.kept = False
        self.compacts = False
        self._aliases: dict[str, str] = {}
        """Ids of calls, by those of their items."""
        self._said: list[Part] = []
        self._results: list[ToolResult] = []
        """One of these two is open at a time; `messages` does not hold it yet."""
        self._signatures: dict[str, deque[Signature]] = {}
        """Of the model's step that is being read, by their targets; its first message is the one at `_step`."""
        self._step = 0

    @property
    def early(self) -> bool:
        """Whether nobody but the system has said anything yet."""
        return not (self.messages or self._said or self._results)

    def lose(self, path: str, why: str) -> None:
        """Record what will not reach the model; of very much only the beginning is told."""
        if len(self.dropped) < MAX_TOLD and not self.kept:
            self.dropped.append(Dropped(path, why))

    def define(self, path: str, tools: Iterable[Raw]) -> None:
        """Note tools that are defined in an item; `path` is that of their list."""
        self.defined += ((KEPT if self.kept else f"{path}.{number}", tool) for number, tool in enumerate(tools))

    def add_system(self, made: Sequence[Placed]) -> None:
        """Append what the system says, before anybody else has said anything."""
        self._note(made, "system", len(self.system))
        self.system += [part for part, _ in made]

    def add_user(self, made: Sequence[Placed]) -> None:
        """Append a message of the user's; with it the model's step is over."""
        self.close()
        self._note(made, self._open, 0)
        self.messages.append(Message("user", tuple([part for part, _ in made])))
        self._step = len(self.messages)

    def add_user_text(self, text: str) -> None:
        """Append a text of the user's."""
        if self._said or self._results or self._signatures:
            self.close()
        self.messages.append(Message("user", (Text(text),) if text else ()))
        self._step = len(self.messages)

    def add_model(self, made: Sequence[Placed]) -> None:
        """Append what the model said, called or made."""
        if self._results:
            self._flush()
        self._note(made, self._open, len(self._said))
        self._said += [part for part, _ in made]

    def add_model_text(self, text: str) -> None:
        """Append a text of the model's."""
        if self._results:
            self._flush()
        if text:
            self._said.append(Text(text))

    def add_native(self, parts: Sequence[Part]) -> None:
        """Append parts of an answer of the model's, as they were."""
        for part in parts:
            if isinstance(part, ToolCall):
                self.names[part.id] = part.name
            if not isinstance(part, Opaque) and part.signature is not None and part.signature.family:
                self.families.add(part.signature.family)
        self.add_model([(part, KEPT) for part in parts])

    def add_call(self, call: ToolCall, item_id: str, path: str) -> None:
        """Append a call."""
        self.names[call.id] = call.name
        if item_id:
            self._aliases[item_id] = call.id
        self.add_model(((call, path),))

    def add_result(self, result: ToolResult, path: str) -> None:
        """Append what came of a call."""
        if self._said:
            self._flush()
        self._note(((result, path),), self._open, len(self._results))
        self._results.append(result)

    def add_signature(self, target: str, signature: Signature) -> None:
        """Take the signature of a call, or of code, of the model's step: before it or after."""
        self._signatures.setdefault(target, deque()).append(signature)

    def call_id(self, call_id: str | None, item_id: str | None) -> str:
        """Find which call a result answers: some name it by its item, as their own id."""
        if call_id:
            return call_id
        return self._aliases.get(item_id or "", item_id or "")

    def close(self) -> None:
        """End the model's step: its calls and code get their signatures."""
        if self._said or self._results:
            self._flush()
        if self._signatures:
            step = self.messages[self._step :]
            self.messages[self._step :] = [Message(each.role, self._signed(each.parts)) for each in step]
            self._signatures.clear()

    def _flush(self) -> None:
        if self._said:
            self.messages.append(Message("model", tuple(self._said)))
            self._said.clear()
        elif self._results:
            self.messages.append(Message("user", tuple(self._results)))
            self._results.clear()

    def _signed(self, parts: Sequence[Part]) -> tuple[Part, ...]:
        return tuple([self._with_signature(part) for part in parts])

    def _with_signature(self, part: Part) -> Part:
        """Sign a part whose signature is there; one whose part is gone is of no use."""
        if not isinstance(part, (ToolCall, Code)) or part.signature is not None:
            return part
        waiting = self._signatures.get(target(part))
        return replace(part, signature=waiting.popleft()) if waiting else part

    @property
    def _open(self) -> str:
        return f"messages.{len(self.messages)}.parts"

    def _note(self, made: Sequence[Placed], place: str, first: int) -> None:
        """Remember where media and results came from that go to `place`, the first of them as the part `first`."""
        for index, (part, path) in enumerate(made, first):
            if isinstance(part, (Media, ToolResult)):
                self.paths[f"{place}.{index}"] = KEPT if self.kept else path
                self.remote = self.remote or is_remote(part)
