"""Arguments of a call that come piece by piece, each with the JSON path where it belongs (`g-0e0b8c718bca`)."""

import re
from itertools import pairwise
from typing import cast

from msgspec import Struct, json

from gemgate.hub.parts import JsonText, Signature

STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]")
MAX_INDEX = 10_000


class PartialArg(Struct, rename="camel"):
    """One piece: a value of one type at a path; strings are appended to what is there."""

    json_path: str
    string_value: str | None = None
    number_value: float | int | None = None
    bool_value: bool | None = None
    null_value: str | None = None
    will_continue: bool = False


class Assembly:
    """The growing arguments of one call."""

    def __init__(self, call_id: str, name: str, signature: Signature | None) -> None:
        self.id = call_id
        self.name = name
        self.signature = signature
        self._root: dict[str, object] = {}

    def add(self, raw: bytes) -> None:
        """Put the pieces of a `partialArgs` array where they belong; malformed paths are passed over."""
        for piece in json.decode(raw, type=list[PartialArg]):
            steps = [int(index) if index else name or quoted for name, index, quoted in STEP.findall(piece.json_path)]
            if steps and all(isinstance(step, str) or step <= MAX_INDEX for step in steps):
                _put(self._root, steps, piece)

    def json(self) -> JsonText:
        """Give the arguments so far as a JSON object."""
        return json.encode(self._root).decode()


def _put(container: object, steps: list[str | int], piece: PartialArg) -> None:
    for step, following in pairwise(steps):
        container = _child(container, step, [] if isinstance(following, int) else {})
    before = _child(container, steps[-1], None)
    value: object
    if piece.string_value is not None:
        value = (before if isinstance(before, str) else "") + piece.string_value
    elif piece.number_value is not None:
        value = piece.number_value
    else:
        value = piece.bool_value
    _set(container, steps[-1], value)


def _child(container: object, step: str | int, default: object) -> object:
    if isinstance(container, dict):
        return cast("dict[str | int, object]", container).setdefault(step, default)
    if isinstance(container, list) and isinstance(step, int):
        items = cast("list[object]", container)
        items.extend([None] * (step + 1 - len(items)))
        if items[step] is None:
            items[step] = default
        return items[step]
    return default


def _set(container: object, step: str | int, value: object) -> None:
    if isinstance(container, dict):
        cast("dict[str | int, object]", container)[step] = value
    elif isinstance(container, list) and isinstance(step, int):
        cast("list[object]", container)[step] = value
