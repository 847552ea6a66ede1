"""The input as a list of items."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from gemgate.errors import InvalidRequest
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.calls_in import CALLS
from gemgate.protocols.openai_responses.results import RESULTS
from gemgate.protocols.shared.nested import read
from gemgate.protocols.shared.raw_json import JsonField, is_given, is_object, is_string, plain_text

REFERENCE = "item_reference"
IMAGE = "image_generation_call"

SUMMARIES = frozenset({"compaction", "compaction_summary"})
UNDERSTOOD = (
    CALLS
    | RESULTS
    | SUMMARIES
    | {"message", "reasoning", REFERENCE, IMAGE, "code_interpreter_call", "additional_tools", "tool_search_output"}
)
"""The types of which something is read; the others may hold anything."""

ID = b'"id"'
SLICE = 256 * 1024
"""How much is searched at a time, in bytes."""

SPOKEN = b'{"type":"message","role":"user","content":[{"type":"input_text","text":'
"""What stands before a text that is an item of its own."""

NO_ITEM = "An item must be an object, or a text."


class Listed(Struct, frozen=True):
    """The items of an input; `place` is where they stand, and whether that is a list."""

    items: Sequence[wire.Item | str]
    place: str
    is_list: bool = True

    def path(self, number: int) -> str:
        """Tell where the item of this number stands."""
        return f"{self.place}.{number}" if self.is_list else self.place


def listed(given: JsonField, place: str) -> Listed:
    """Read an input or instructions, which stand at `place`; raises `InvalidRequest` with the path of what is wrong."""
    if not is_given(given):
        return Listed((), place)
    try:
        found = wire.decode_items(given)
    except msgspec.ValidationError:
        return _one_by_one(given, place)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read(wire.decode_items, given, place)
        raise
    if isinstance(found, (str, wire.Item)):
        return Listed((found,), place, is_list=False)
    return Listed(found, place)


def listed_items(given: JsonField) -> list[Raw]:
    """Give the input as items in JSON, texts among them as messages of the user's; raises `InvalidRequest`."""
    if not is_given(given):
        return []
    if is_string(given) or is_object(given):
        return [_item(given, "input", None)]
    return [_item(entry, "input", number) for number, entry in enumerate(read(wire.decode_list, given, "input"))]


def references(given: JsonField) -> list[str]:
    """List the ids of the items that an input refers to: references, and images that it names without their data."""
    if not is_given(given) or is_string(given) or not _has_ids(given):
        return []
    try:
        marks = [wire.decode_mark(given)] if is_object(given) else wire.decode_marks(given)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []  # whoever reads the conversation says what is wrong
    found = (_referred(mark) for mark in marks if isinstance(mark, wire.Mark))
    return list(dict.fromkeys(item_id for item_id in found if item_id))


def _has_ids(raw: Raw) -> bool:
    """Whether an id may be in there, told without decoding; the buffer is not copied whole."""
    view = memoryview(raw)
    return any(ID in bytes(view[start : start + SLICE + len(ID)]) for start in range(0, len(view), SLICE))


def is_reference(item: wire.Item) -> bool:
    """Whether an item is but the id of another; such a one need not say its type."""
    return item.type == REFERENCE or (item.type is None and item.role is None and bool(item.id))


def holds_image(result: JsonField) -> bool:
    """Whether an image that was made is in its item."""
    return is_given(result) and bytes(memoryview(result)[:3]) != b'""'


def _referred(mark: wire.Mark) -> str:
    if not is_given(mark.type):
        return plain_text(mark.id) if not is_given(mark.role) else ""
    kind = bytes(memoryview(mark.type)[:32])
    if kind == b'"item_reference"' or (kind == b'"image_generation_call"' and not holds_image(mark.result)):
        return plain_text(mark.id)
    return ""


def _one_by_one(given: Raw, place: str) -> Listed:
    """Read items of which one is wrong: those of unknown types may be, as nothing of them is read but the type."""
    if bytes(memoryview(given)[:1]) != b"[":
        return Listed((_read(given, place),), place, is_list=False)
    entries = read(wire.decode_list, given, place)
    return Listed([_read(entry, f"{place}.{number}") for number, entry in enumerate(entries)], place)


def _read(entry: Raw, path: str) -> wire.Item | str:
    if is_string(entry):
        return plain_text(entry)
    if not is_object(entry):
        raise InvalidRequest(NO_ITEM, param=path)
    kind = plain_text(read(wire.decode_mark, entry, path).type)
    if kind and kind not in UNDERSTOOD:
        return wire.Item(type=kind)
    return read(wire.decode_item, entry, path)


def _item(entry: Raw, place: str, number: int | None) -> Raw:
    if is_object(entry):
        return entry
    if not is_string(entry):
        raise InvalidRequest(NO_ITEM, param=place if number is None else f"{place}.{number}")
    return Raw(b"".join((SPOKEN, entry, b"}]}")))
