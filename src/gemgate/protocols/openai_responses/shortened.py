"""What still counts of a history that was compacted: the user's own words, the summary, and what came after it."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct, json

from gemgate.protocols.openai_responses.kept import KeptItem

WORD = b'"compaction"'
SPEAKERS = frozenset({"user", "system", "developer"})


class _Mark(Struct):
    type: str = ""
    role: str = ""


_decode = json.Decoder(_Mark).decode


def shortened(items: Sequence[KeptItem]) -> Sequence[KeptItem]:
    """Leave out what the last summary in a history takes the place of."""
    for last in range(len(items) - 1, -1, -1):
        if items[last].parts is None and WORD in items[last].item and _mark(items[last]).type == "compaction":
            return [*(item for item in items[:last] if _is_said(item)), *items[last:]]
    return items


def _is_said(item: KeptItem) -> bool:
    if item.parts is not None:
        return False
    mark = _mark(item)
    return mark.type == "message" and mark.role in SPEAKERS


def _mark(item: KeptItem) -> _Mark:
    try:
        return _decode(item.item)
    except msgspec.MsgspecError:
        return _Mark()
