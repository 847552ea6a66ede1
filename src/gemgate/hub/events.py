"""What an upstream answers, piece by piece; a whole answer is the fold of the same events.

Order in one reply: `ResponseStart`; then for each choice blocks, one open at a time (`BlockStart`, any number of
`BlockDelta`, `BlockEnd`), `Citations`, `PagesRead` and `Logprobs`; at the end `Usage` once and `Finish` once for each
choice, or `Failure`.
"""

from typing import Literal

from msgspec import Struct

from gemgate.errors import GemgateError
from gemgate.hub.parts import Part, Signature, Vendor

FinishReason = Literal[
    "stop",  # the model was done
    "length",  # a token limit cut it off
    "tool_calls",  # it waits for the client's functions
    "content_filter",  # a filter stopped the prompt or the answer
    "malformed",  # the model broke off: a call or an answer that could not be parsed
    "other",  # the upstream's reason is none of these
]


LEAST_LOGPROB = -9999.0
"""Stands for what is no number in JSON: minus infinity, or unknown."""


class ResponseStart(Struct, frozen=True):
    """The upstream has begun to answer; `id` and `model` are its own, empty if it gave none.

    The counts are those of the prompt as far as they are known by now, as in `Usage`; 0 if they are not.
    """

    id: str
    model: str
    vendor: Vendor | None = None
    input_tokens: int = 0
    cached_tokens: int = 0


class BlockStart(Struct, frozen=True):
    """A part begins with what is known of it; later deltas append to its text, arguments, code or output."""

    choice: int
    part: Part


class BlockDelta(Struct, frozen=True, gc=False):
    """More of the open block."""

    choice: int
    text: str


class BlockEnd(Struct, frozen=True):
    """The open block is complete; `signature` is one that was not known when it began."""

    choice: int
    signature: Signature | None = None


class Citation(Struct, frozen=True):
    """A source for a piece of the answer; `start` and `end` count characters of the choice's visible text."""

    url: str
    title: str = ""
    start: int = 0
    end: int = 0


class Citations(Struct, frozen=True):
    """Sources of what a choice has said so far; `queries` is what the upstream has searched the web for."""

    choice: int
    citations: tuple[Citation, ...]
    vendor: Vendor | None = None
    queries: tuple[str, ...] = ()


class Page(Struct, frozen=True):
    """A page that the upstream was told to read; `read` is whether it could."""

    url: str
    read: bool


class PagesRead(Struct, frozen=True):
    """Which pages the upstream has read for a choice so far."""

    choice: int
    pages: tuple[Page, ...]


class TokenLogprob(Struct, frozen=True):
    """A token of the answer, the logarithm of its probability, and what else might have stood there."""

    token: str
    logprob: float
    alternatives: tuple["TokenLogprob", ...] = ()


class Logprobs(Struct, frozen=True):
    """The next tokens of a choice with their probabilities; in a stream they may come with or after their text."""

    choice: int
    tokens: tuple[TokenLogprob, ...]


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of the whole reply.

    `input_tokens` includes `cached_tokens` and excludes `tool_tokens` (results of tools that the upstream ran);
    `output_tokens` excludes `thought_tokens`. The maps by modality have lower-case keys (`text`, `image`, …).
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    tool_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    total_tokens: int = 0
    input_by_modality: dict[str, int] = {}
    cached_by_modality: dict[str, int] = {}
    output_by_modality: dict[str, int] = {}
    service_tier: str = ""
    vendor: Vendor | None = None


class Finish(Struct, frozen=True):
    """A choice is over; `detail` is the upstream's own word for why, `message` its explanation."""

    choice: int
    reason: FinishReason
    detail: str = ""
    message: str = ""
    vendor: Vendor | None = None


class Failure(Struct, frozen=True):
    """The reply broke off; nothing follows."""

    error: GemgateError


Event = ResponseStart | BlockStart | BlockDelta | BlockEnd | Citations | PagesRead | Logprobs | Usage | Finish | Failure
