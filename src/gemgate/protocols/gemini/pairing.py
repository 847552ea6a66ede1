"""Which result answers which call, however a client has treated their ids (acceptance 2 and 11)."""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Sequence

from gemgate.hub.parts import Message, ToolCall, ToolResult

MIN_KEPT = 40
"""Clients that cut ids leave at least so many characters."""

Key = Hashable | None
"""What a call and its result have in common; `None` has nothing in common with anything."""


class Pairing:
    """Results by call, found in steps from the surest sign to the weakest.

    Ids; ids that a client has lower-cased, cut or cleaned; names in order where there is no id; order where there is
    no name either; and, if exactly as many are left as the names fit, the order again.
    """

    def __init__(self, calls: Sequence[ToolCall], results: Sequence[ToolResult]) -> None:
        self._calls = calls
        self._found: dict[int, ToolResult] = {}
        self._left: list[ToolResult] = []
        by_id = {result.id: result for result in results if result.id}
        if len(by_id) == len(results) == len(calls) and by_id.keys() == {call.id for call in calls}:
            # Almost always: one of each, and nothing to look for.
            self._found = {number: by_id[call.id] for number, call in enumerate(calls)}
        else:
            self._left = _latest(calls, results)
            self._search()

    @property
    def results(self) -> list[ToolResult | None]:
        """The result of each call, in the order of the calls; `None` where there is none."""
        return [self._found.get(number) for number in range(len(self._calls))]

    @property
    def unasked(self) -> list[ToolResult]:
        """Results that answer no call."""
        return self._left

    def _search(self) -> None:
        self._pair(lambda call: call.id or None, lambda result: result.id or None)
        self._pair(_kept, _kept, unique=True)
        self._pair(lambda call: call.name, lambda result: None if result.id else result.name or None)
        self._pair(lambda call: None if call.id else call.name, lambda result: result.name or None)
        self._pair(lambda _: "", lambda result: None if result.id or result.name else "")
        self._pair_what_fits()

    def _open(self) -> list[tuple[int, ToolCall]]:
        return [(number, call) for number, call in enumerate(self._calls) if number not in self._found]

    def _pair(
        self, of_call: Callable[[ToolCall], Key], of_result: Callable[[ToolResult], Key], *, unique: bool = False
    ) -> None:
        """Pair what has the same key, in order; with `unique` only where there is one of each."""
        if not self._left:
            return
        calls: dict[Key, deque[int]] = defaultdict(deque)
        for number, call in self._open():
            calls[of_call(call)].append(number)
        calls.pop(None, None)
        keys = [of_result(result) for result in self._left]
        count = Counter(keys)
        left: list[ToolResult] = []
        for key, result in zip(keys, self._left, strict=True):
            numbers = calls.get(key)
            if not numbers or (unique and (len(numbers) > 1 or count[key] > 1)):
                left.append(result)
            else:
                self._found[numbers.popleft()] = result
        self._left = left

    def _pair_what_fits(self) -> None:
        calls = self._open()
        named = Counter(result.name for result in self._left if result.name)
        if len(calls) == len(self._left) and named <= Counter(call.name for _, call in calls):
            self._pair(lambda call: call.name, lambda result: result.name or None)
            self._pair(lambda _: "", lambda _: "")


def _kept(part: ToolCall | ToolResult) -> str | None:
    """Give what is left of an id in any client's hands."""
    return re.sub(r"[^0-9a-z]", "", part.id[:MIN_KEPT].lower()) or None


def _latest(calls: Sequence[ToolCall], results: Sequence[ToolResult]) -> list[ToolResult]:
    """Leave out what was answered again later: of one id, as many as there are calls of it remain."""
    asked = Counter(call.id for call in calls if call.id)
    latest: list[ToolResult] = []
    for result in reversed(results):
        if result.id in asked:
            asked[result.id] -= 1
            if asked[result.id] < 0:
                continue
        latest.append(result)
    latest.reverse()
    return latest


def after_their_calls(messages: Sequence[Message]) -> Sequence[Message]:
    """Move results that come before their call to where they belong: behind the model's messages with that call."""
    called: dict[str, int] = {}
    waiting: list[tuple[int, ToolResult]] = []
    for position, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, ToolCall):
                called.setdefault(part.id, position)
            elif isinstance(part, ToolResult) and part.id and part.id not in called:
                waiting.append((position, part))
    if not waiting:
        return messages
    ends = _ends_of_steps(messages)
    moved: dict[int, list[ToolResult]] = defaultdict(list)
    early: set[int] = set()
    for position, result in waiting:
        if called.get(result.id, -1) > position:
            moved[ends[called[result.id]]].append(result)
            early.add(id(result))
    if not moved:
        return messages
    made: list[Message] = []
    for position, message in enumerate(messages):
        made.append(Message(message.role, tuple(part for part in message.parts if id(part) not in early)))
        if position in moved:
            made.append(Message("user", tuple(moved[position])))
    return made


def _ends_of_steps(messages: Sequence[Message]) -> list[int]:
    """Give for each message the last of those of the model that follow it without a break, or itself."""
    ends = list(range(len(messages)))
    for position in range(len(messages) - 2, -1, -1):
        if messages[position + 1].role == "model":
            ends[position] = ends[position + 1]
    return ends
