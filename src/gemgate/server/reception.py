"""What every request goes through, over HTTP or in a WebSocket: it is counted, answered in any case, and logged."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from gemgate.callers.auth import Caller, ClientKeys, credentials
from gemgate.errors import GemgateError, InvalidRequest, Unavailable
from gemgate.observe.log import LOGGER, log_exchange
from gemgate.pipeline.exchange import ClientGone, Cors, Exchange, Receive, RenderError, Send

# Some clients tell a wrong key from other faults by the first sentence, which is OpenAI's.
UNAUTHENTICATED = (
    "Incorrect API key provided. Send one of this server's own keys as `Authorization: Bearer KEY` (x-api-key, "
    "x-goog-api-key, api-key and ?key= work too). `gemgate serve` prints the key that it made; API_KEYS sets others."
)


class Limits(Struct, frozen=True, kw_only=True):
    """What the server takes."""

    max_body_bytes: int
    max_requests: int
    strict: bool
    public_url: str


class Reception:
    """Receives requests: makes their exchanges, tells whose they are, and sees them through."""

    def __init__(self, keys: ClientKeys, cors: Cors, limits: Limits, new_id: Callable[[], str]) -> None:
        self._keys = keys
        self.cors = cors
        self.limits = limits
        self._new_id = new_id
        self.under_way = 0
        """How many requests are being answered."""

    def exchange(
        self, scope: dict[str, Any], path: str, render: RenderError, receive: Receive, send: Send, *, method: str
    ) -> Exchange:
        """Make the exchange of a request."""
        exchange = Exchange(
            method=method,
            path=path,
            query=scope["query_string"],
            headers=scope["headers"],
            receive=receive,
            send=send,
            request_id=f"req_{self._new_id()}",
        )
        exchange.render_error = render
        exchange.strict = self.limits.strict or exchange.header(b"x-gemgate-strict") == b"1"
        return exchange

    def caller(self, exchange: Exchange, more: Sequence[bytes] = ()) -> Caller | None:
        """Tell who sent a request, by what it offers as credentials; `None` if none of them is valid."""
        queried = [unquote_to_bytes(part[4:]) for part in exchange.query.split(b"&") if part.startswith(b"key=")]
        return self._keys.caller(credentials(exchange.headers, [*queried, *more]))

    def check_room(self) -> None:
        """Raise `Unavailable` if more is under way than the server takes."""
        if self.under_way > self.limits.max_requests:
            raise Unavailable("This server has all the requests it can take. Try again.", retry_after_seconds=1)

    async def see_through(
        self, exchange: Exchange, answer: Callable[[], Awaitable[None]], *, logged: bool = True
    ) -> None:
        """Have a request answered; whatever happens, the client gets an answer in its own format."""
        began = monotonic()
        gone = False
        self.under_way += 1
        try:
            await answer()
        except GemgateError as error:
            await _fail(exchange, error)
        except ClientGone:
            gone = True
        except RecursionError:
            await _fail(exchange, InvalidRequest("The request is nested too deeply.", code="nested_too_deeply"))
        except Exception:
            LOGGER.exception("%s %s failed (%s)", exchange.method, exchange.path, exchange.request_id)
            await _fail(exchange, GemgateError("Something went wrong inside this server; its log says what."))
        finally:
            self.under_way -= 1
            if logged:
                log_exchange(exchange, began, monotonic(), gone=gone)


async def _fail(exchange: Exchange, error: GemgateError) -> None:
    if exchange.started:
        return
    try:
        await exchange.fail(error)
    except Exception:
        LOGGER.exception("an error could not be shown (%s)", exchange.request_id)
