"""Keeping an answer: its response, what was asked, and what was said."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence

from msgspec import Raw, Struct, json
from msgspec.structs import replace

from gemgate.errors import TooLarge
from gemgate.hub.codec import Identity, Parsed, Writer
from gemgate.protocols.openai_responses.conversation import Past
from gemgate.protocols.openai_responses.kept import Finished
from gemgate.protocols.openai_responses.writer import ResponsesWriter
from gemgate.store.protocols import MAX_RESPONSE_BYTES, OVER, StoredItem, StoredResponse
from gemgate.store.trouble import Trouble
from gemgate.surfaces.responses.items import size, stored, stored_input
from gemgate.surfaces.responses.past import Store, kept
from gemgate.surfaces.responses.session import Session

PATIENCE_SECONDS = 2.0
"""How long a client waits for a database in trouble, which does late what it does not do by then."""


class _Known(Struct):
    id: str


class Wish(Struct, frozen=True, kw_only=True):
    """What is asked to be kept of an answer, for whom, and where.

    `given` is the request's own input, `past` what came before it. Times are Unix seconds.
    """

    caller_id: str
    given: Sequence[Raw]
    past: Past
    previous_id: str = ""
    conversation_id: str = ""
    stored: bool
    created_at: float
    expires_at: float


class Record:
    """Keeps one answer when it is over. What cannot be kept costs a warning, never the answer."""

    def __init__(
        self, wish: Wish, store: Store, trouble: Trouble, new_id: Callable[[], str], session: Session | None
    ) -> None:
        self._wish = wish
        self._store = store
        self._trouble = trouble
        self._session = session
        self._writer: ResponsesWriter | None = None
        self.given = self._resolved(stored_input(wish.given, new_id))

    def watched(self, parsed: Parsed) -> Parsed:
        """Give the request with a writer whose answer is kept here."""
        make = parsed.write

        def write(identity: Identity) -> Writer:
            writer = make(identity)
            assert isinstance(writer, ResponsesWriter)
            self._writer = writer
            return writer

        return replace(parsed, write=write)

    async def settle(self) -> None:
        """Keep what the writer has written."""
        finished = self._writer.finished if self._writer is not None else None
        if finished is None:
            return
        if self._session is not None:
            self._remember(finished, self._session)
        if self._wish.stored or self._wish.conversation_id:
            await soon(self._keep(finished, [stored(item) for item in finished.output]))

    async def _keep(self, finished: Finished, output: Sequence[StoredItem]) -> None:
        wish = self._wish
        try:
            if wish.stored:
                await self._put(self._response(finished), output)
            elif wish.conversation_id and finished.status in OVER:
                items = [*self.given, *output]
                await self._store.add_items(wish.caller_id, wish.conversation_id, items, wish.expires_at)
        except Exception as error:  # whatever the database does, the client gets its answer
            self._trouble.tell("a response is not kept", error)

    def _remember(self, finished: Finished, session: Session) -> None:
        if finished.status in OVER:
            given = [kept(item) for item in self.given]
            session.keep(finished.id, [*self._wish.past.items, *given, *finished.output])
        else:
            session.forget(self._wish.previous_id)

    async def _put(self, response: StoredResponse, output: Sequence[StoredItem]) -> None:
        if size(response, self.given, output) > MAX_RESPONSE_BYTES:
            self._trouble.tell("a response is not kept", OSError(f"it has more than {MAX_RESPONSE_BYTES >> 20} MB"))
            return
        try:
            await self._store.put_response(response, self.given, output)
        except TooLarge as error:  # the conversation is full; the response can be kept
            self._trouble.tell("a conversation is full", error)
            await self._store.put_response(replace(response, conversation_id=""), self.given, output)

    def queued(self, document: bytes) -> StoredResponse:
        """Give the response as it is kept while it waits in the background."""
        response_id = json.decode(document, type=_Known).id
        waiting = self._response(Finished(response_id, "queued", document, ()))
        return replace(waiting, background=True, alive_at=self._wish.created_at)

    def _response(self, finished: Finished) -> StoredResponse:
        wish = self._wish
        return StoredResponse(
            id=finished.id,
            caller_id=wish.caller_id,
            status=finished.status,
            document=finished.document,
            created_at=wish.created_at,
            expires_at=wish.expires_at,
            previous_id=wish.previous_id,
            conversation_id=wish.conversation_id,
        )

    def _resolved(self, items: Sequence[StoredItem]) -> list[StoredItem]:
        """Put in the place of references what they refer to, and leave out what is kept and came back once more."""
        past = self._wish.past
        if not (past.items or past.referred):
            return list(items)
        there = {stored(item).id for item in past.items}
        return [
            stored(past.referred[item.id]) if item.id in past.referred else item
            for item in items
            if item.id not in there
        ]


async def soon(work: Coroutine[None, None, None]) -> None:
    """Wait for something to be done, but not for long; it goes on by itself."""
    task = asyncio.create_task(work)
    if (await asyncio.wait((task,), timeout=PATIENCE_SECONDS))[1]:
        LATE.add(task)
        task.add_done_callback(LATE.discard)


LATE: set[asyncio.Task[None]] = set()
"""What is still to be done; tasks that nobody holds may vanish."""
