"""`POST /v1/responses` and `/v1/responses/input_tokens`."""

from mmap import mmap

from msgspec import UNSET, Raw, json
from msgspec.structs import replace

from gemgate.errors import GemgateError, InvalidRequest
from gemgate.hub.call import CountTokens, Generate
from gemgate.hub.codec import Dropped
from gemgate.hub.events import Finish, ResponseStart, Usage
from gemgate.pipeline.body import readable
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.handle import Handler
from gemgate.pipeline.preview import DryRun, Preview
from gemgate.protocols.openai_responses.conversation import Past, listed_items
from gemgate.protocols.openai_responses.inbound import Asked, read, understood
from gemgate.protocols.openai_responses.style import Style
from gemgate.protocols.openai_responses.writer import queued
from gemgate.protocols.shared.raw_json import is_given
from gemgate.store.protocols import MAX_RESPONSE_BYTES
from gemgate.store.trouble import Trouble
from gemgate.surfaces.responses.background import Background
from gemgate.surfaces.responses.caller import caller_id
from gemgate.surfaces.responses.past import PastItems, Store
from gemgate.surfaces.responses.record import Record, Wish
from gemgate.surfaces.responses.session import Session

DAY_SECONDS = 24 * 3600
NOT_LOOKED_UP = "a dry run does not look up what is kept: the conversation so far comes before this"
MAX_INPUT_BYTES = MAX_RESPONSE_BYTES * 3 // 4
"""Of an input that is kept; the rest is left to the answer."""
NOTHING = Raw(b"")


class ResponsesSurface:
    """Answers requests for responses from whatever upstream there is, and keeps what it is asked to keep."""

    def __init__(
        self,
        handler: Handler,
        dry_run: DryRun,
        store: Store,
        background: Background,
        clock: Clock,
        *,
        retention_days: float,
    ) -> None:
        """`retention_days` of 0 keeps nothing."""
        self._handler = handler
        self._dry_run = dry_run
        self._store = store
        self._background = background
        self._clock = clock
        self._retention_seconds = retention_days * DAY_SECONDS
        self._past = PastItems(store)
        self._trouble = Trouble(clock.seconds)

    async def create(self, exchange: Exchange, body: bytes | mmap, session: Session | None = None) -> None:
        """Answer one request; with a session, in its lines, and remembered there.

        A session forgets what a request that fails has gone on from: its client begins anew, with all that was said.
        """
        asked = read(readable(body))
        try:
            await self._create(exchange, asked, session)
        except GemgateError:
            if session is not None:
                session.forget(asked.request.previous_response_id or "")
            raise

    async def _create(self, exchange: Exchange, asked: Asked, session: Session | None) -> None:
        past = await self._past.of(asked.request, caller_id(exchange), session)
        if asked.request.background:
            await self._begin(exchange, asked, past)
            return
        wanted = asked.request.store is not False
        lost = self._why_not_kept(asked) if wanted else None
        stored = wanted and lost is None
        style = Style(
            framing="events" if session is None else "lines",
            stored=stored,
            keeps_parts=stored or session is not None or bool(asked.request.conversation_id),
            conversation_id=asked.request.conversation_id,
        )
        parsed = understood(asked, past, style)
        if lost:
            parsed = replace(parsed, dropped=(*parsed.dropped, Dropped("store", lost)))
        if not style.keeps_parts:
            await self._handler.generate(exchange, parsed)
            return
        record = self._record(exchange, asked, past, session, stored=stored)
        await self._handler.generate(exchange, record.watched(parsed), record.settle)

    def _why_not_kept(self, asked: Asked) -> str | None:
        """Say why an answer that is to be kept is not, nothing if its client need not know; `None` if it is."""
        if self._retention_seconds <= 0:
            return "this server is set to keep no responses" if asked.request.store else ""
        if len(memoryview(asked.members.get("input", NOTHING))) > MAX_INPUT_BYTES:
            return "what was asked is too large to be kept"
        return None

    async def warm_up(self, exchange: Exchange, body: bytes, session: Session) -> None:
        """Remember the input of a request, for others to go on from, and answer with an empty response."""
        asked = read(body)
        past = await self._past.of(asked.request, caller_id(exchange), session)
        record = self._record(exchange, asked, past, session, stored=False)
        parsed = record.watched(understood(asked, past, Style(framing="lines", keeps_parts=True)))
        writer = parsed.write(self._handler.identity(exchange, asked.request.model))
        data = writer.stream([ResponseStart("", ""), Usage(), Finish(0, "stop")]) + writer.end()
        await record.settle()
        await exchange.answer(200, data, writer.content_type)

    async def count_tokens(self, exchange: Exchange, body: bytes | mmap) -> None:
        """Tell how long a prompt is."""
        asked = read(readable(body), counts=True)
        past = await self._past.of(asked.request, caller_id(exchange), None)
        parsed = understood(asked, past)
        assert isinstance(parsed.call, Generate)
        count = await self._handler.count_tokens(exchange, replace(parsed, call=CountTokens(parsed.call)))
        await exchange.answer(200, json.encode({"object": "response.input_tokens", "input_tokens": count}))

    def preview(self, body: bytes) -> Preview:
        """Tell what would be sent for a request; what is kept is not looked up, and said to be missing."""
        asked = read(body)
        parsed = understood(asked)
        names = ("previous_response_id", "conversation")
        missing = [Dropped(name, NOT_LOOKED_UP) for name in names if is_given(asked.members.get(name, UNSET))]
        return self._dry_run(replace(parsed, dropped=(*parsed.dropped, *missing)))

    async def _begin(self, exchange: Exchange, asked: Asked, past: Past) -> None:
        """Answer in the background."""
        if self._retention_seconds <= 0:
            raise InvalidRequest(
                "This server keeps no responses, so that nothing can be answered in the background.", param="background"
            )
        request = asked.request
        identity = self._handler.identity(exchange, request.model)
        style = Style(
            framing="lines",
            response_id=identity.response_id,
            queued=True,
            stored=True,
            keeps_parts=True,
            conversation_id=request.conversation_id,
        )
        parsed = understood(asked, past, style)
        record = self._record(exchange, asked, past, None, stored=True)
        document = queued(identity, replace(style, echo=asked.members))
        await self._background.begin(exchange, parsed, record.queued(document), record.given)

    def _record(self, exchange: Exchange, asked: Asked, past: Past, session: Session | None, *, stored: bool) -> Record:
        now = self._clock.seconds()
        wish = Wish(
            caller_id=caller_id(exchange),
            given=listed_items(asked.request.input),
            past=past,
            previous_id=asked.request.previous_response_id or "",
            conversation_id=asked.request.conversation_id,
            stored=stored,
            created_at=now,
            expires_at=now + self._retention_seconds,
        )
        return Record(wish, self._store, self._trouble, self._clock.new_id, session)
