"""What a request refers to: the response or conversation that it goes on from, and items by their ids."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from gemgate.errors import GemgateError, InvalidRequest, NotFound, Unavailable
from gemgate.observe.log import LOGGER
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.conversation import Past, references
from gemgate.protocols.openai_responses.kept import KeptItem, unpacked
from gemgate.store.protocols import WORKING, ConversationStore, ResponseStore, StoredItem
from gemgate.surfaces.responses.session import Session

T = TypeVar("T")

MAX_REFERENCES = 1_000


class Store(ResponseStore, ConversationStore, Protocol):
    """Where responses and conversations are kept."""


class PastItems:
    """Finds what is kept for a caller."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, request: wire.Request, caller_id: str, session: Session | None) -> Past:
        """Find what a request refers to; raises `InvalidRequest` or `NotFound` for what is not there."""
        items: Sequence[KeptItem] = ()
        if request.previous_response_id:
            items = await self._history(request.previous_response_id, caller_id, session)
        elif conversation_id := request.conversation_id:
            items = await self._conversation(conversation_id, caller_id)
        ids = references(request.input)
        if not ids:
            return Past(items) if items else NOTHING
        return Past(items, await self._referred(ids, caller_id))

    async def _history(self, response_id: str, caller_id: str, session: Session | None) -> Sequence[KeptItem]:
        remembered = session.history(response_id) if session is not None else None
        if remembered is not None:
            return remembered
        response = await read(lambda: self._store.response(caller_id, response_id))
        if response is not None and response.status in WORKING:
            raise InvalidRequest(
                f"Response '{response_id[:80]}' is still {response.status}. Wait for its end, or cancel it.",
                param="previous_response_id",
            )
        found = await read(lambda: self._store.history(caller_id, response_id)) if response is not None else None
        if found is None:
            lost = "What it goes on from was deleted or has expired." if response is not None else ""
            raise InvalidRequest(
                f"Previous response with id '{response_id[:80]}' not found. {lost}".rstrip(),
                param="previous_response_id",
                code="previous_response_not_found",
            )
        return [kept(item) for item in found]

    async def _conversation(self, conversation_id: str, caller_id: str) -> Sequence[KeptItem]:
        found = await read(lambda: self._store.conversation_items(caller_id, conversation_id))
        if found is None:
            raise NotFound(f"Conversation with id '{conversation_id[:80]}' not found.", param="conversation")
        return [kept(item) for item in found]

    async def _referred(self, ids: Sequence[str], caller_id: str) -> dict[str, KeptItem]:
        if len(ids) > MAX_REFERENCES:
            raise InvalidRequest(f"At most {MAX_REFERENCES} items can be referred to.", param="input")
        found = await read(lambda: self._store.items(caller_id, ids))
        return {item_id: kept(item) for item_id, item in found.items()}


NOTHING = Past()


def kept(item: StoredItem) -> KeptItem:
    """Unpack an item of the store."""
    return KeptItem(item.json, unpacked(item.native))


async def read(lookup: Callable[[], Awaitable[T]]) -> T:
    """Look something up; raises `Unavailable` where the database fails."""
    try:
        return await lookup()
    except GemgateError:
        raise
    except Exception as error:  # whatever the database does
        LOGGER.warning("what is kept cannot be read or written (%r)", error)
        raise Unavailable(
            "What this server keeps cannot be read right now. Try again.", retry_after_seconds=1
        ) from error
