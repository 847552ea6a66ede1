"""Every path that this server answers, in one table."""

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from gemgate.errors import MethodNotAllowed, NotFound

ConversationOperation = Literal["conversations", "conversation", "conversation_items", "conversation_item"]
ResponsesOperation = Literal[
    "responses",
    "input_tokens",
    "compact",
    "response",
    "cancel_response",
    "input_items",
    ConversationOperation,
]
Operation = Literal[
    "home",
    "health",
    "ready",
    "chat",
    "messages",
    "count_tokens",
    ResponsesOperation,
    "translate",
    "list_models",
    "get_model",
    "native",
    "upload",
]
Dialect = Literal["openai", "anthropic", "gemini"]

OPENAI_BASES = ("/v1", "/gemini/v1", "/openai/v1", "/v1beta/openai", "/openai", "/gemini")
"""What OpenAI's clients are told as their base URL."""

ANTHROPIC_BASES = ("/v1", "/anthropic/v1", "/anthropic")
"""Where Anthropic's clients look, whatever of it they were told as their base URL."""

EXACT: dict[str, tuple[Operation, tuple[str, ...]]] = {
    "/": ("home", ("GET", "HEAD")),
    "/health": ("health", ("GET", "HEAD")),
    "/ready": ("ready", ("GET", "HEAD")),
    **{f"{base}/chat/completions": ("chat", ("POST",)) for base in OPENAI_BASES},
    **{f"{base}/messages": ("messages", ("POST",)) for base in ANTHROPIC_BASES},
    **{f"{base}/messages/count_tokens": ("count_tokens", ("POST",)) for base in ANTHROPIC_BASES},
    **{f"{base}/responses": ("responses", ("POST",)) for base in OPENAI_BASES},
    **{f"{base}/responses/input_tokens": ("input_tokens", ("POST",)) for base in OPENAI_BASES},
    **{f"{base}/responses/compact": ("compact", ("POST",)) for base in OPENAI_BASES},
    **{f"{base}/conversations": ("conversations", ("POST",)) for base in OPENAI_BASES},
    **{f"{base}/models": ("list_models", ("GET", "HEAD")) for base in (*OPENAI_BASES, *ANTHROPIC_BASES)},
    "/v1": ("home", ("GET", "HEAD")),
    "/anthropic": ("home", ("GET", "HEAD")),
    "/anthropic/v1": ("home", ("GET", "HEAD")),
    "/v1/translate": ("translate", ("POST",)),
}
MODEL = re.compile(rf"(?:{'|'.join((*OPENAI_BASES, *ANTHROPIC_BASES))})/models/(.+)")
KEPT_ID = "([A-Za-z0-9_-]{1,128})"
KEPT: tuple[tuple[str, Operation, tuple[str, ...]], ...] = (
    (f"responses/{KEPT_ID}", "response", ("GET", "DELETE")),
    (f"responses/{KEPT_ID}/cancel", "cancel_response", ("POST",)),
    (f"responses/{KEPT_ID}/input_items", "input_items", ("GET",)),
    (f"conversations/{KEPT_ID}", "conversation", ("GET", "POST", "DELETE")),
    (f"conversations/{KEPT_ID}/items", "conversation_items", ("GET", "POST")),
    (f"conversations/{KEPT_ID}/items/{KEPT_ID}", "conversation_item", ("GET", "DELETE")),
)
"""What is kept under an id, under any of `OPENAI_BASES`."""
KEPT_PATHS = tuple(re.compile(f"(?:{'|'.join(OPENAI_BASES)})/{pattern}") for pattern, _, _ in KEPT)
SOCKETS = frozenset(f"{base}/responses" for base in OPENAI_BASES)
"""What may be opened as a WebSocket."""
BATCHES = re.compile(rf"(?:{'|'.join(ANTHROPIC_BASES)})/messages/batches(?:/.*)?")

REMEMBERED_ROUTES = 1024

NATIVE = re.compile(r"(/upload|/download|)/(v1|v1beta|v1alpha)/(.+)")
NATIVE_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
NATIVE_MODEL_METHOD = re.compile(r"(?:models|tunedModels|dynamic)/[^:]+:\w+")
NATIVE_ONLY = frozenset(
    {
        "agents",
        "auth_tokens",
        "cachedContents",
        "corpora",
        "credentials",
        "decisions",
        "environments",
        "fileSearchStores",
        "interactions",
        "media",
        "operations",
        "triggers",
        "tunedModels",
        "voices",
        "webhooks",
    }
)
"""Collections under /v1 that no other format has."""
SHARED = frozenset({"models", "files", "batches"})
"""Collections under /v1 that several formats claim: who asks decides."""

EXTRA_SLASHES = re.compile(r"//+")
DOUBLED_VERSION = re.compile(r"^((?:/gemini|/openai|/anthropic)?/v1)/v1(?=/)")
ENDED_TWICE = ("/chat/completions/chat/completions", "/responses/responses")
TWICE = re.compile(r"(/chat/completions|/responses)\1$")


class Route(Struct, frozen=True):
    """Where a request leads.

    `rest` is what follows the version, or a model's name, or the id of a response or conversation, in which `item` is.
    """

    operation: Operation
    lead: str = ""
    version: str = ""
    rest: str = ""
    item: str = ""


def normal(path: str) -> str:
    """Forgive what clients do when they join a base URL and a path: doubled slashes, versions and endings."""
    if "//" in path:
        path = EXTRA_SLASHES.sub("/", path)
    if path.endswith("/") and len(path) > 1:
        path = path[:-1]
    if "/v1/v1/" in path:
        path = DOUBLED_VERSION.sub(r"\1", path)
    if path.endswith(ENDED_TWICE):
        path = TWICE.sub(r"\1", path)
    return path


@lru_cache(maxsize=REMEMBERED_ROUTES)
def find(method: str, path: str, dialect: Dialect) -> Route:
    """Find where a normal path leads; raises `NotFound` or `MethodNotAllowed`."""
    exact = EXACT.get(path)
    if exact is not None and not (dialect == "gemini" and exact[0] == "list_models"):
        operation, methods = exact
        _check_method(method, path, methods)
        return Route(operation)
    if (kept := _kept(method, path)) is not None:
        return kept
    native = NATIVE.fullmatch(path)
    if native is not None and not path.startswith("/v1beta/openai"):
        lead, version, rest = native.groups()
        if _is_native(lead, version, rest, dialect):
            if {".", ".."} & set(rest.split("/")):
                raise NotFound("There is no such route.")
            if method not in NATIVE_METHODS:
                raise MethodNotAllowed(f"{method[:20]} is not a method of this API.", allow=NATIVE_METHODS)
            return Route("upload" if lead == "/upload" else "native", lead, version, rest)
    found = MODEL.fullmatch(path)
    if found is not None:
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed("Models are only read.", allow=("GET", "HEAD"))
        return Route("get_model", rest=found[1])
    if BATCHES.fullmatch(path):
        raise NotFound(
            "This server has no batches of messages. Send the requests one by one to /v1/messages.",
            code="batches_not_supported",
        )
    raise NotFound(
        f"There is no route {method} {path[:200]}. This server answers /v1/chat/completions, /v1/responses, "
        "/v1/conversations, /v1/messages, /v1/models, and Gemini's own API under /v1beta and /v1.",
        code="unknown_route",
    )


def find_socket(path: str) -> None:
    """Raise `NotFound` unless a normal path may be opened as a WebSocket."""
    if path not in SOCKETS:
        raise NotFound(
            f"There is no WebSocket at {path[:200]}. This server has one at /v1/responses.", code="unknown_route"
        )


def _check_method(method: str, path: str, methods: tuple[str, ...]) -> None:
    if method not in methods:
        raise MethodNotAllowed(f"{path} is called with {' or '.join(methods)}.", allow=methods)


def _kept(method: str, path: str) -> Route | None:
    for pattern, (_, operation, methods) in zip(KEPT_PATHS, KEPT, strict=True):
        if found := pattern.fullmatch(path):
            _check_method(method, path, methods)
            first, *second = found.groups()
            return Route(operation, rest=first, item="".join(second))
    return None


def _is_native(lead: str, version: str, rest: str, dialect: Dialect) -> bool:
    if lead or version != "v1" or NATIVE_MODEL_METHOD.fullmatch(rest):
        return True
    collection = rest.partition("/")[0].partition(":")[0]
    return collection in NATIVE_ONLY or (collection in SHARED and dialect == "gemini")


def dialect(path: str, names: frozenset[bytes], query: bytes) -> Dialect:
    """Tell which format a client speaks, from what only that format's clients send (notes §2.1)."""
    if path.startswith(("/v1/messages", "/anthropic")):
        return "anthropic"
    if path.startswith(("/v1/chat/", "/v1/responses", "/v1/conversations", "/v1beta/openai", "/openai", "/gemini/")):
        return "openai"
    if path.startswith(("/v1beta", "/v1alpha", "/upload", "/download")):
        return "gemini"
    if NATIVE_MODEL_METHOD.fullmatch(path.removeprefix("/v1/")):
        return "gemini"
    if b"x-goog-api-key" in names or b"x-goog-api-client" in names:
        return "gemini"
    if query and any(part.startswith((b"key=", b"pageSize=", b"pageToken=")) for part in query.split(b"&")):
        return "gemini"
    return "anthropic" if b"anthropic-version" in names else "openai"
