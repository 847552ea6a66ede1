"""`/v1/conversations`: conversations that are kept, and the items in them."""

from collections.abc import Sequence
from functools import partial
from mmap import mmap
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import InvalidRequest, NotFound, Unsupported
from gemgate.pipeline.body import readable
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import Exchange
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.conversation import conversation, listed_items
from gemgate.protocols.shared.raw_json import JsonField, is_given
from gemgate.protocols.shared.reading import unreadable
from gemgate.store.protocols import StoredConversation, StoredItem
from gemgate.surfaces.responses.caller import caller_id
from gemgate.surfaces.responses.items import added
from gemgate.surfaces.responses.listing import listed, page, paged
from gemgate.surfaces.responses.past import PastItems, Store, read

T = TypeVar("T")

DAY_SECONDS = 24 * 3600
MAX_ADDED = 20
MAX_PAIRS = 16
MAX_KEY_CHARS = 64
MAX_VALUE_CHARS = 512


class _Created(Struct):
    items: JsonField = UNSET
    metadata: dict[str, str] | None = None


class _Marked(Struct):
    metadata: dict[str, str] | None = None


class _Added(Struct):
    items: JsonField = UNSET


class Conversations:
    """Keeps conversations for their callers; those of others are not found."""

    def __init__(self, store: Store, clock: Clock, *, retention_days: float) -> None:
        """`retention_days` of 0 keeps none."""
        self._store = store
        self._past = PastItems(store)
        self._clock = clock
        self._retention_seconds = retention_days * DAY_SECONDS

    async def create(self, exchange: Exchange, body: bytes | mmap) -> None:
        """Begin a conversation."""
        if not self._retention_seconds:
            raise Unsupported(
                "This server keeps no conversations. Its setting responses.retention_days would change it."
            )
        asked = _document(body or b"{}", _Created)
        metadata = _metadata(asked.metadata)
        items = await self._items(exchange, asked.items) if is_given(asked.items) else []
        now = self._clock.seconds()
        made = StoredConversation(
            id=f"conv_{self._clock.new_id()}",
            caller_id=caller_id(exchange),
            metadata=metadata,
            created_at=now,
            expires_at=now + self._retention_seconds,
        )
        await read(lambda: self._store.put_conversation(made, items))
        await exchange.answer(200, _written(made))

    async def get(self, exchange: Exchange, conversation_id: str) -> None:
        """Answer with a conversation."""
        await exchange.answer(200, _written(await self._found(exchange, conversation_id)))

    async def update(self, exchange: Exchange, conversation_id: str, body: bytes | mmap) -> None:
        """Mark a conversation anew."""
        metadata = _metadata(_document(body, _Marked).metadata)
        if not await read(lambda: self._store.set_metadata(caller_id(exchange), conversation_id, metadata)):
            raise _not_found(conversation_id)
        await self.get(exchange, conversation_id)

    async def delete(self, exchange: Exchange, conversation_id: str) -> None:
        """Forget a conversation; the responses in it stay."""
        if not await read(lambda: self._store.delete_conversation(caller_id(exchange), conversation_id)):
            raise _not_found(conversation_id)
        document = {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
        await exchange.answer(200, json.encode(document))

    async def list_items(self, exchange: Exchange, conversation_id: str) -> None:
        """Answer with a page of the items."""
        asked = page(exchange.query)
        await exchange.answer(200, paged(await self._all_items(exchange, conversation_id), asked))

    async def add_items(self, exchange: Exchange, conversation_id: str, body: bytes | mmap) -> None:
        """Append items, and answer with them as they are kept."""
        asked = _document(body, _Added)
        if not is_given(asked.items):
            raise InvalidRequest(
                "Missing required parameter: 'items'.", param="items", code="missing_required_parameter"
            )
        await self._found(exchange, conversation_id)
        items = await self._items(exchange, asked.items)
        expires_at = self._clock.seconds() + self._retention_seconds
        add = partial(self._store.add_items, caller_id(exchange), conversation_id, items, expires_at)
        if not await read(add):
            raise _not_found(conversation_id)
        await exchange.answer(200, listed(items))

    async def get_item(self, exchange: Exchange, conversation_id: str, item_id: str) -> None:
        """Answer with one item."""
        for item in await self._all_items(exchange, conversation_id):
            if item.id == item_id:
                await exchange.answer(200, item.json)
                return
        raise _item_not_found(item_id)

    async def delete_item(self, exchange: Exchange, conversation_id: str, item_id: str) -> None:
        """Take an item out, and answer with the conversation."""
        found = await self._found(exchange, conversation_id)
        if not await read(lambda: self._store.delete_item(caller_id(exchange), conversation_id, item_id)):
            raise _item_not_found(item_id)
        await exchange.answer(200, _written(found))

    async def _found(self, exchange: Exchange, conversation_id: str) -> StoredConversation:
        found = await read(lambda: self._store.conversation(caller_id(exchange), conversation_id))
        if found is None:
            raise _not_found(conversation_id)
        return found

    async def _all_items(self, exchange: Exchange, conversation_id: str) -> Sequence[StoredItem]:
        found = await read(lambda: self._store.conversation_items(caller_id(exchange), conversation_id))
        if found is None:
            raise _not_found(conversation_id)
        return found

    async def _items(self, exchange: Exchange, given: Raw) -> list[StoredItem]:
        """Read items to be added, which must be such as a request could have; references become what they refer to."""
        try:
            items = listed_items(given)
            if len(items) > MAX_ADDED:
                raise InvalidRequest(
                    f"Invalid 'items': array too long. Expected an array with maximum length {MAX_ADDED}, "
                    f"but got an array with length {len(items)} instead.",
                    param="items",
                    code="array_above_max_length",
                )
            past = await self._past.of(wire.Request(input=given), caller_id(exchange), None)
            conversation(given, past, UNSET)
        except InvalidRequest as error:
            if error.param is not None and error.param.startswith("input"):
                error.param = "items" + error.param.removeprefix("input")
            raise
        return added(items, past.referred, self._clock.new_id)


def _document(body: bytes | mmap, form: type[T]) -> T:
    try:
        return json.decode(readable(body), type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error


def _metadata(given: dict[str, str] | None) -> bytes:
    """Write what a conversation is marked with; raises `InvalidRequest`."""
    pairs = given or {}
    if len(pairs) > MAX_PAIRS:
        raise InvalidRequest(
            f"Invalid 'metadata': too many properties. Expected an object with at most {MAX_PAIRS} properties, "
            f"but got an object with {len(pairs)} properties instead.",
            param="metadata",
            code="object_above_max_properties",
        )
    for key, value in pairs.items():
        for path, text, most in (("metadata", key, MAX_KEY_CHARS), (f"metadata.{key[:80]}", value, MAX_VALUE_CHARS)):
            if len(text) > most:
                raise InvalidRequest(
                    f"Invalid '{path}': string too long. Expected a string with maximum length {most}, "
                    f"but got a string with length {len(text)} instead.",
                    param=path,
                    code="string_above_max_length",
                )
    return json.encode(pairs)


def _written(found: StoredConversation) -> bytes:
    return json.encode(
        {
            "id": found.id,
            "object": "conversation",
            "created_at": int(found.created_at),
            "metadata": Raw(found.metadata),
        }
    )


def _not_found(conversation_id: str) -> NotFound:
    return NotFound(f"Conversation with id '{conversation_id[:128]}' not found.")


def _item_not_found(item_id: str) -> NotFound:
    return NotFound(f"Item with id '{item_id[:128]}' not found.")
