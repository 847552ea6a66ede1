"""An upstream's no, and whose fault it is."""

from gemgate.errors import FailureKind, GemgateError
from gemgate.keys.cooldown import Trouble
from gemgate.net.connection import Headers


class UpstreamRefusal(Exception):
    """An attempt failed before anything was answered; another one might not.

    `error` is what the client is told if no other attempt follows; `status`, `headers` and `body` are what the upstream
    answered, for a client that speaks its language (`status` 0 if it did not answer at all).
    """

    def __init__(
        self,
        kind: FailureKind,
        error: GemgateError,
        *,
        retry_after_seconds: float | None = None,
        daily: bool = False,
        signature: bool = False,
        status: int = 0,
        headers: Headers | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(error.message)
        self.kind: FailureKind = kind
        self.error = error
        self.trouble = Trouble(kind=kind, retry_after_seconds=retry_after_seconds, daily=daily)
        self.signature = signature
        """Whether a thought signature was refused."""
        self.status = status
        self.headers: Headers = headers or []
        self.body = body
