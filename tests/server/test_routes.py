"""Every path, method and dialect, and where they lead."""

from collections.abc import Iterable

import pytest

from gemgate.errors import MethodNotAllowed, NotFound
from gemgate.server.routes import (
    ANTHROPIC_BASES,
    NATIVE_METHODS,
    OPENAI_BASES,
    Dialect,
    Route,
    dialect,
    find,
    find_socket,
    normal,
)

Row = tuple[str, str, str]
GOOG = frozenset({b"x-goog-api-key"})
ANTHROPIC = frozenset({b"anthropic-version", b"x-api-key"})


def led(method: str, path: str, names: Iterable[bytes] = (), query: bytes = b"") -> tuple[Dialect, Route]:
    """Do what the endpoint does."""
    straight = normal(path)
    spoken = dialect(straight, frozenset(names), query)
    return spoken, find(method, straight, spoken)


@pytest.mark.parametrize("base", OPENAI_BASES)
def test_every_base_of_openai_clients(base: str) -> None:
    assert led("POST", f"{base}/chat/completions") == ("openai", Route("chat"))
    assert led("POST", f"{base}//chat/completions/") == ("openai", Route("chat"))
    assert led("POST", f"{base}/chat/completions/chat/completions") == ("openai", Route("chat"))
    assert led("GET", f"{base}/models") == ("openai", Route("list_models"))
    assert led("GET", f"{base}/models/a-model") == ("openai", Route("get_model", rest="a-model"))
    assert led("HEAD", f"{base}/models/vendor/a-model") == ("openai", Route("get_model", rest="vendor/a-model"))


KEPT = [
    ("POST", "/responses", Route("responses")),
    ("POST", "/responses/responses", Route("responses")),
    ("POST", "/responses/input_tokens", Route("input_tokens")),
    ("POST", "/responses/compact", Route("compact")),
    ("GET", "/responses/resp_1", Route("response", rest="resp_1")),
    ("DELETE", "/responses/resp_1", Route("response", rest="resp_1")),
    ("POST", "/responses/resp_1/cancel", Route("cancel_response", rest="resp_1")),
    ("GET", "/responses/resp_1/input_items", Route("input_items", rest="resp_1")),
    ("POST", "/conversations", Route("conversations")),
    ("GET", "/conversations/conv-1", Route("conversation", rest="conv-1")),
    ("POST", "/conversations/conv-1", Route("conversation", rest="conv-1")),
    ("DELETE", "/conversations/conv-1", Route("conversation", rest="conv-1")),
    ("GET", "/conversations/conv-1/items", Route("conversation_items", rest="conv-1")),
    ("POST", "/conversations/conv-1/items", Route("conversation_items", rest="conv-1")),
    ("GET", "/conversations/conv-1/items/msg_1", Route("conversation_item", rest="conv-1", item="msg_1")),
    ("DELETE", "/conversations/conv-1/items/msg_1", Route("conversation_item", rest="conv-1", item="msg_1")),
]


@pytest.mark.parametrize("base", OPENAI_BASES)
@pytest.mark.parametrize(("method", "path", "route"), KEPT)
def test_responses_and_conversations(base: str, method: str, path: str, route: Route) -> None:
    for spelled in (base + path, f"{base}/{path}/"):
        assert led(method, spelled) == ("openai", route)
        # The path decides, whatever the way in which the key comes.
        assert led(method, spelled, ANTHROPIC | GOOG, b"key=x") == ("openai", route)


@pytest.mark.parametrize("base", OPENAI_BASES)
def test_websockets(base: str) -> None:
    find_socket(normal(f"{base}//responses/"))
    for path in (base, f"{base}/responses/resp_1", f"{base}/chat/completions", f"{base}/realtime"):
        with pytest.raises(NotFound) as caught:
            find_socket(path)
        assert "/v1/responses" in caught.value.message


@pytest.mark.parametrize("path", ["/v1/responses/{}", "/v1/conversations/{}", "/v1/conversations/c/items/{}"])
def test_ids_are_bounded(path: str) -> None:
    longest = "x" * 128
    _, route = led("GET", path.format(longest))
    assert (route.item or route.rest) == longest
    for wrong in (longest + "x", "a.b", "a b", "ä", "..", "a\n", "%2e"):
        with pytest.raises(NotFound):
            led("GET", path.format(wrong))


@pytest.mark.parametrize("base", ANTHROPIC_BASES)
def test_every_base_of_anthropics_clients(base: str) -> None:
    assert led("POST", f"{base}/messages") == ("anthropic", Route("messages"))
    assert led("POST", f"{base}/messages/", ANTHROPIC, b"beta=true") == ("anthropic", Route("messages"))
    assert led("POST", f"{base}//messages/count_tokens") == ("anthropic", Route("count_tokens"))
    assert led("GET", f"{base}/models", ANTHROPIC) == ("anthropic", Route("list_models"))
    assert led("GET", f"{base}/models/a-model", ANTHROPIC) == ("anthropic", Route("get_model", rest="a-model"))


@pytest.mark.parametrize("base", ANTHROPIC_BASES)
@pytest.mark.parametrize("rest", ["", "/msgbatch_1", "/msgbatch_1/results", "/msgbatch_1/cancel"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_batches_are_said_not_to_be_there(base: str, rest: str, method: str) -> None:
    with pytest.raises(NotFound) as caught:
        led(method, f"{base}/messages/batches{rest}")
    assert caught.value.code == "batches_not_supported" and "one by one" in caught.value.message


@pytest.mark.parametrize(
    ("method", "path", "spoken", "route"),
    [
        ("GET", "/", "openai", Route("home")),
        ("HEAD", "/", "openai", Route("home")),
        ("GET", "/health", "openai", Route("health")),
        ("GET", "/ready/", "openai", Route("ready")),
        ("GET", "/v1", "openai", Route("home")),
        ("GET", "/v1/", "openai", Route("home")),
        ("HEAD", "/anthropic", "anthropic", Route("home")),
        ("GET", "/anthropic/v1/", "anthropic", Route("home")),
        ("POST", "/v1/v1/messages", "anthropic", Route("messages")),
        ("POST", "/anthropic/v1/v1/messages", "anthropic", Route("messages")),
        ("POST", "/v1/v1/chat/completions", "openai", Route("chat")),
        ("POST", "/gemini/v1/v1/chat/completions", "openai", Route("chat")),
        # Gemini's own.
        ("GET", "/v1beta/models", "gemini", Route("native", "", "v1beta", "models")),
        ("GET", "/v1beta/models/m", "gemini", Route("native", "", "v1beta", "models/m")),
        (
            "POST",
            "/v1beta/models/m:generateContent",
            "gemini",
            Route("native", "", "v1beta", "models/m:generateContent"),
        ),
        ("POST", "/v1/models/m:countTokens", "gemini", Route("native", "", "v1", "models/m:countTokens")),
        ("POST", "/v1alpha/models/m:x", "gemini", Route("native", "", "v1alpha", "models/m:x")),
        (
            "POST",
            "/v1/tunedModels/m:generateContent",
            "gemini",
            Route("native", "", "v1", "tunedModels/m:generateContent"),
        ),
        ("GET", "/v1beta/files", "gemini", Route("native", "", "v1beta", "files")),
        ("DELETE", "/v1beta/files/x", "gemini", Route("native", "", "v1beta", "files/x")),
        ("PATCH", "/v1beta/cachedContents/x", "gemini", Route("native", "", "v1beta", "cachedContents/x")),
        ("POST", "/v1beta/anything/new", "gemini", Route("native", "", "v1beta", "anything/new")),
        ("POST", "/v1/interactions", "openai", Route("native", "", "v1", "interactions")),
        ("POST", "/v1/auth_tokens", "openai", Route("native", "", "v1", "auth_tokens")),
        ("POST", "/upload/v1beta/files", "gemini", Route("upload", "/upload", "v1beta", "files")),
        ("PUT", "/upload/v1/files", "gemini", Route("upload", "/upload", "v1", "files")),
        (
            "GET",
            "/download/v1beta/files/x:download",
            "gemini",
            Route("native", "/download", "v1beta", "files/x:download"),
        ),
    ],
)
def test_where_paths_lead(method: str, path: str, spoken: str, route: Route) -> None:
    assert led(method, path) == (spoken, route)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/files", "/v1/batches"])
def test_paths_that_several_formats_claim(path: str) -> None:
    collection = path[4:]
    for names, query in ((GOOG, b""), ({b"x-goog-api-client"}, b""), ((), b"key=x"), ((), b"a=b&pageSize=3")):
        assert led("GET", path, names, query) == ("gemini", Route("native", "", "v1", collection))
    if collection == "models":
        assert led("GET", path) == ("openai", Route("list_models"))
        assert led("GET", path, ANTHROPIC) == ("anthropic", Route("list_models"))
        assert led("GET", path + "/m", ANTHROPIC) == ("anthropic", Route("get_model", rest="m"))
        assert led("GET", path + "/m", GOOG) == ("gemini", Route("native", "", "v1", "models/m"))
    else:
        with pytest.raises(NotFound):
            led("GET", path)


@pytest.mark.parametrize(
    ("path", "names", "query", "spoken"),
    [
        ("/v1beta/openai/models", GOOG, b"key=x", "openai"),
        ("/v1beta/models", ANTHROPIC, b"", "gemini"),
        ("/nowhere", frozenset(), b"", "openai"),
        ("/nowhere", ANTHROPIC, b"", "anthropic"),
        ("/v1/messages", frozenset(), b"", "anthropic"),
        ("/anthropic/v1/messages", frozenset(), b"", "anthropic"),
        ("/nowhere", GOOG, b"", "gemini"),
        # A path that one format alone has decides before the way in which the key comes.
        ("/v1/messages", GOOG, b"", "anthropic"),
        ("/anthropic/v1/messages", frozenset(), b"key=x", "anthropic"),
        ("/v1/chat/completions", GOOG, b"key=x", "openai"),
        ("/v1/responses", ANTHROPIC, b"", "openai"),
        ("/v1/conversations/conv_1", GOOG, b"key=x", "openai"),
        ("/nowhere", frozenset(), b"monkey=1&notkey=2", "openai"),
        ("/v1/models/m:generateContent", ANTHROPIC, b"", "gemini"),
    ],
)
def test_dialects(path: str, names: frozenset[bytes], query: bytes, spoken: str) -> None:
    assert dialect(path, names, query) == spoken


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", ("POST",)),
        ("DELETE", "/v1/chat/completions", ("POST",)),
        ("GET", "/v1/responses", ("POST",)),
        ("GET", "/v1/responses/compact", ("POST",)),
        ("PUT", "/v1/responses/input_tokens", ("POST",)),
        ("POST", "/v1/responses/resp_1", ("GET", "DELETE")),
        ("GET", "/v1/responses/resp_1/cancel", ("POST",)),
        ("DELETE", "/v1/responses/resp_1/input_items", ("GET",)),
        ("GET", "/openai/v1/conversations", ("POST",)),
        ("PATCH", "/v1/conversations/conv_1", ("GET", "POST", "DELETE")),
        ("DELETE", "/v1/conversations/conv_1/items", ("GET", "POST")),
        ("POST", "/v1/conversations/conv_1/items/msg_1", ("GET", "DELETE")),
        ("GET", "/v1/messages", ("POST",)),
        ("PUT", "/anthropic/v1/messages/count_tokens", ("POST",)),
        ("POST", "/v1/models", ("GET", "HEAD")),
        ("POST", "/health", ("GET", "HEAD")),
        ("POST", "/", ("GET", "HEAD")),
        ("DELETE", "/v1/models/m", ("GET", "HEAD")),
        ("CONNECT", "/v1beta/files", NATIVE_METHODS),
        ("TRACE", "/v1beta/models/m:generateContent", NATIVE_METHODS),
        ("PROPFIND", "/upload/v1beta/files", NATIVE_METHODS),
        ("post", "/v1beta/files", NATIVE_METHODS),
    ],
)
def test_wrong_methods(method: str, path: str, allow: tuple[str, ...]) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        led(method, path)
    assert caught.value.allow == allow and caught.value.status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v2/models",
        "/v1betax/models",
        "/v1/completion",
        "/v1/chat/completions/more",
        "/V1/chat/completions",
        "/v1beta",
        "/upload/v2/files",
        "/v1/files",
        "/v1/responses/resp_1/more",
        "/v1/responses/resp_1/cancel/more",
        "/v1/conversations/conv_1/items/msg_1/more",
        "/anthropic/v1/responses",
        "/v1/messages/more",
        "/openai/v1/messages",
        "/v1beta/openai/files",
        "/v1beta/files/../models",
        "/v1beta/../secret",
        "/v1beta/./secret",
        "/v1beta/files/.",
        "/v1/models/../x:generateContent",
        "/upload/v1beta/..",
        "",
    ],
)
def test_what_leads_nowhere(path: str) -> None:
    with pytest.raises(NotFound) as caught:
        led("POST", path)
    assert caught.value.status == 404


@pytest.mark.parametrize("method", NATIVE_METHODS)
def test_native_methods(method: str) -> None:
    assert led(method, "/v1beta/files/x...y") == ("gemini", Route("native", "", "v1beta", "files/x...y"))


def test_a_long_path_is_not_repeated_in_full() -> None:
    with pytest.raises(NotFound) as caught:
        led("GET", "/" + "x" * 5000)
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("path", "straight"),
    [
        ("/", "/"),
        ("//", "/"),
        ("//v1///models//", "/v1/models"),
        ("/v1/v1/models", "/v1/models"),
        ("/v1/v1", "/v1/v1"),
        ("/v1beta/v1/v1/x", "/v1beta/v1/v1/x"),
        ("/v1/chat/completions/chat/completions/", "/v1/chat/completions"),
        ("/v1/responses/responses", "/v1/responses"),
        ("/v1/responses/chat/completions", "/v1/responses/chat/completions"),
    ],
)
def test_forgiven_paths(path: str, straight: str) -> None:
    assert normal(path) == straight
    assert normal(straight) == straight
