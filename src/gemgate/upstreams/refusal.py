"""An upstream's no, and whose fault it is."""

from typing import Literal

from gemgate.errors import FailureKind, GemgateError
from gemgate.keys.cooldown import Trouble
from gemgate.net.connection import Headers

Parameter = Literal[
    "sampling.choosing",  # temperature, top_p and top_k
    "sampling.penalties",  # presence and frequency
    "sampling.candidates",
    "sampling.logprobs",
    "sampling.seed",
    "sampling.stop",
    "reasoning",  # any setting of it
    "output",  # JSON mode, beside tools or at all
    "output.schema",  # it is too complex, or no schema is taken
    "tools.builtin",  # tools that the upstream runs itself, beside functions or at all
    "media.detail",
    "json_schema",  # JSON Schema proper, of parameters or of the answer; the older form of schemas may do
]
"""Something of a call that an upstream may not support, as hub fields or groups of them."""


class UpstreamRefusal(Exception):
    """An attempt failed before anything was answered; another one might not.

    `error` is what the client is told if no other attempt follows; `status`, `headers` and `body` are what the upstream
    answered, for a client that speaks its language (`status` 0 if it did not answer at all). `unsupported` is the one
    parameter without which the request might be taken, empty if none was named.
    """

    def __init__(
        self,
        kind: FailureKind,
        error: GemgateError,
        *,
        retry_after_seconds: float | None = None,
        daily: bool = False,
        signature: bool = False,
        unsupported: Parameter | Literal[""] = "",
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
        self.unsupported: Parameter | Literal[""] = unsupported
        self.status = status
        self.headers: Headers = headers or []
        self.body = body
