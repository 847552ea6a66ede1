"""What the pipeline needs of a store, whatever database is behind it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

MAX_RESPONSE_BYTES = 64 << 20
"""Of one response with its items: who keeps responses refuses larger ones."""


class Owner(Struct, frozen=True, kw_only=True):
    """Whose a resource is.

    `resource` is its name upstream (`files/abc`) or `uploads/…` for an upload under way, whose next step goes to
    `location`; `key_id` is the upstream key that made it; `expires_at` in Unix seconds.
    """

    resource: str
    key_id: str
    caller_id: str
    location: str = ""
    expires_at: float


class OwnerStore(Protocol):
    """Rows of owners; those that have expired are as if they were not."""

    async def get(self, resource: str) -> Owner | None:
        """Find the owner of a resource whose name is its own."""
        ...

    async def find(self, resources: list[str]) -> list[Owner]:
        """Find the owners of several resources at once; a name may have one under each key."""
        ...

    async def of_caller(self, caller_id: str, prefix: str) -> list[Owner]:
        """List what a caller owns among the resources whose names begin so, by name."""
        ...

    async def put(self, owners: list[Owner]) -> None:
        """Remember owners; under one key a resource's first owner stays."""
        ...

    async def delete(self, owner: Owner) -> None:
        """Forget a resource."""
        ...


class SignatureStore(Protocol):
    """What was signed, by key, for a while; what has expired is as if it were not."""

    async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Find remembered values by key, all in one read; may raise whatever the database does."""
        ...

    def remember(self, rows: Mapping[bytes, bytes], expires_at: float) -> None:
        """Keep values by key until `expires_at` in Unix seconds, newer ones in the place of older ones.

        Returns at once and never fails; what was remembered can be recalled at once in the same process.
        """
        ...


WORKING = ("queued", "in_progress")
"""Statuses of responses that are not over."""
OVER = ("completed", "incomplete")
"""Statuses of answers that a conversation goes on from."""


class StoredItem(Struct, frozen=True):
    """An item of a response or of a conversation.

    `json` is the item as clients see it, `native` its parts as the format's codec packs them, if they are the model's.
    """

    id: str
    json: bytes
    native: bytes = b""


class StoredResponse(Struct, frozen=True, kw_only=True):
    """A response that is kept for its caller.

    `document` is its JSON. `previous_id` is the response that it goes on from, `conversation_id` the conversation that
    it belongs to; empty if there is none. Times are Unix seconds. One in the background is worked on while its owner
    says so: `alive_at` is when it last did.
    """

    id: str
    caller_id: str
    status: str
    document: bytes
    created_at: float
    expires_at: float
    previous_id: str = ""
    conversation_id: str = ""
    background: bool = False
    alive_at: float = 0.0


class StoredConversation(Struct, frozen=True, kw_only=True):
    """A conversation that is kept for its caller; `metadata` is a JSON object. Times are Unix seconds."""

    id: str
    caller_id: str
    metadata: bytes
    created_at: float
    expires_at: float


class ResponseStore(Protocol):
    """Responses, each with the items that it was asked and those that it answered; others' are as if they were not.

    So are those that have expired. Methods may raise whatever the database does. Those that name no caller are for who
    has found the response for its caller, or works on it.
    """

    async def put_response(
        self,
        response: StoredResponse,
        given: Sequence[StoredItem],
        output: Sequence[StoredItem],
        *,
        only_if: Sequence[str] = (),
    ) -> bool:
        """Keep a response, in the place of what was there of it before (its events stay); tells whether it is kept.

        With `only_if` it is not unless it is there already with one of these statuses, so that who has worked on it
        neither overrules a cancel nor brings back what was deleted. The statuses and the place are of one moment.

        Those that it goes on from, and its conversation, live at least as long as it does. Items of one in a
        conversation are appended to that too, once it is over (`completed` or `incomplete`), but for those whose ids
        are in it already; if the conversation is gone, the response is kept all the same. Raises `TooLarge`, and keeps
        nothing, if the conversation has grown too large.
        """
        ...

    async def response(self, caller_id: str, response_id: str) -> StoredResponse | None:
        """Find a response."""
        ...

    async def delete_response(self, caller_id: str, response_id: str) -> bool:
        """Forget a response with its items and events; tells whether there was one.

        What went on from it has lost its history; what was appended to a conversation stays there.
        """
        ...

    async def given(self, caller_id: str, response_id: str) -> list[StoredItem] | None:
        """List what a response was asked, with all that went before it; `None` if it is not there.

        That is, oldest first: input and output of each response that it goes on from, then its own input. If one of
        those is gone, the list begins after it. Raises `TooLarge`.
        """
        ...

    async def history(self, caller_id: str, response_id: str) -> list[StoredItem] | None:
        """List `given` and the response's own output; `None` too if one that it goes on from is gone.

        Raises `TooLarge` if that is more than is read at once (64 MB).
        """
        ...

    async def items(self, caller_id: str, item_ids: Sequence[str]) -> dict[str, StoredItem]:
        """Find items of responses and conversations by their ids; raises `TooLarge`.

        If there are several of one id, an answer's goes before a client's, then the newest.
        """
        ...

    async def set_status(self, response_id: str, status: str, document: bytes, *, only_if: Sequence[str]) -> bool:
        """Set status and document if the status is one of these; tells whether it was."""
        ...

    async def add_events(self, response_id: str, first: int, events: Sequence[bytes], alive_at: float) -> str:
        """Append events of one in the background, numbered from `first`, and say that it is alive; gives its status.

        They are appended whatever the status is; a number that is there already keeps its event. An empty status means
        that the response is gone.
        """
        ...

    async def events(self, response_id: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Give at most `limit` events with numbers above `after`, in order."""
        ...

    async def abandoned(self, before: float) -> list[StoredResponse]:
        """List those in the background, `queued` or `in_progress`, that nobody has said to be alive since `before`.

        At most 100, the longest silent first. Several processes may be told of the same one: `set_status` decides.
        """
        ...

    async def purge(self) -> bool:
        """Clear away some of what has expired, for want of writes that do so too; tells whether there may be more.

        What had been deleted when it was called cannot be found in the files after it, unless others read them just
        then.
        """
        ...


class ConversationStore(Protocol):
    """Conversations and their items; others' are as if they were not, and so are those that have expired.

    An item's id is its own in a conversation. Methods may raise whatever the database does.
    """

    async def put_conversation(self, conversation: StoredConversation, items: Sequence[StoredItem] = ()) -> None:
        """Keep a new conversation; raises `TooLarge`."""
        ...

    async def conversation(self, caller_id: str, conversation_id: str) -> StoredConversation | None:
        """Find a conversation."""
        ...

    async def set_metadata(self, caller_id: str, conversation_id: str, metadata: bytes) -> bool:
        """Replace what a conversation is marked with; tells whether there is one."""
        ...

    async def delete_conversation(self, caller_id: str, conversation_id: str) -> bool:
        """Forget a conversation and its items; tells whether there was one. Its responses stay."""
        ...

    async def add_items(
        self, caller_id: str, conversation_id: str, items: Sequence[StoredItem], expires_at: float
    ) -> bool:
        """Append items, but for those whose ids are there already; tells whether there is such a conversation.

        It lives at least until `expires_at`. Raises `TooLarge` if it would become larger than can be read at once.
        """
        ...

    async def conversation_items(self, caller_id: str, conversation_id: str) -> list[StoredItem] | None:
        """List the items of a conversation in order; `None` if there is none."""
        ...

    async def delete_item(self, caller_id: str, conversation_id: str, item_id: str) -> bool:
        """Take an item out of a conversation; tells whether it was there."""
        ...
