"""What a translation is asked with, and the document that shows it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gemgate.app import translator
from gemgate.config import load
from gemgate.errors import GemgateError, InvalidRequest, Unsupported
from gemgate.hub.codec import Dropped
from gemgate.pipeline.preview import Preview
from gemgate.server.routes import ANTHROPIC_BASES, OPENAI_BASES
from gemgate.surfaces.gemini_resources import ResourcePath
from gemgate.surfaces.translate import TranslateSurface
from gemgate.upstreams.base import Outgoing
from tests.pipeline.client import Client

NATIVE = "/v1beta/models/m:generateContent"


class Previews:
    """All kinds of previews, which show what they were asked."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.native: list[tuple[ResourcePath, Any]] = []

    def shown(self, url: str) -> Preview:
        segments = (b'{"contents":', memoryview(b"[]"), b"}")
        outgoing = Outgoing(method="POST", url=url, body=segments, renamed={"a.b": "a_b"})
        return Preview("up", "asked", "sent", outgoing, [Dropped("n", "why")], ("https://x.test/a",), 3)


class BodyPreviews(Previews):
    def preview(self, body: bytes) -> Preview:
        self.bodies.append(json.loads(body))
        return self.shown("https://up/v1beta/models/m:streamGenerateContent?alt=sse")


class NativePreviews(Previews):
    def preview(self, path: ResourcePath, body: bytes) -> Preview:
        self.native.append((path, json.loads(body)))
        return self.shown("https://up/v1beta/models/m:generateContent")


class Shown:
    """A surface and what it asked."""

    def __init__(self) -> None:
        self.chat, self.responses, self.messages = BodyPreviews(), BodyPreviews(), BodyPreviews()
        self.gemini = NativePreviews()
        self.surface = TranslateSurface(self.chat, self.responses, self.messages, self.gemini)

    def __call__(self, **request: Any) -> Any:
        return json.loads(self.surface.translated(json.dumps({"body": {"model": "m"}} | request).encode()))


def fault(**request: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        Shown()(**request)
    return caught.value


def test_everything_is_shown() -> None:
    assert Shown()() == {
        "object": "gemgate.translation",
        "format": "openai_chat",
        "upstream": "up",
        "model": {"asked": "asked", "sent": "sent"},
        "request": {
            "method": "POST",
            "url": "https://up/v1beta/models/m:streamGenerateContent?alt=sse",
            "body": {"contents": []},
        },
        "renamed": {"a.b": "a_b"},
        "dropped": [{"path": "n", "why": "why"}],
        "fetched": ["https://x.test/a"],
        "times": 3,
    }


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"format": "openai_chat"},
        {"path": "/v1/chat/completions?x=1"},
        *({"path": f"{base}/chat/completions"} for base in OPENAI_BASES),
    ],
)
def test_a_chat_completion(request_: dict[str, Any]) -> None:
    shown = Shown()
    assert shown(**request_)["format"] == "openai_chat"
    assert shown.chat.bodies == [{"model": "m"}] and shown.gemini.native == []


@pytest.mark.parametrize(
    "request_",
    [
        {"format": "openai_responses"},
        {"path": "/v1/responses?x=1"},
        *({"path": f"{base}/responses"} for base in OPENAI_BASES),
    ],
)
def test_responses(request_: Any) -> None:
    shown = Shown()
    assert shown(**request_)["format"] == "openai_responses"
    assert shown.responses.bodies == [{"model": "m"}] and shown.chat.bodies == []


@pytest.mark.parametrize(
    "request_",
    [
        {"format": "anthropic"},
        {"path": "/v1/messages?beta=true"},
        *({"path": f"{base}/messages"} for base in ANTHROPIC_BASES),
    ],
)
def test_a_message(request_: dict[str, Any]) -> None:
    shown = Shown()
    assert shown(**request_)["format"] == "anthropic"
    assert shown.messages.bodies == [{"model": "m"}] and shown.chat.bodies == [] and shown.gemini.native == []


@pytest.mark.parametrize("more", [{}, {"format": "gemini"}])
def test_a_native_method(more: dict[str, Any]) -> None:
    shown = Shown()
    assert shown(path=NATIVE, **more)["format"] == "gemini"
    assert shown.gemini.native == [(ResourcePath("", "v1beta", "models/m:generateContent"), {"model": "m"})]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("?", ""),
        ("?alt=sse", "?alt=sse"),
        ("?key=secret", ""),
        ("?alt=sse&key=secret&x=1&access_token=t", "?alt=sse&x=1"),
    ],
)
def test_the_query_is_kept_without_keys(query: str, kept: str) -> None:
    assert Shown()(path=NATIVE + query)["request"]["url"] == f"https://up/v1beta/models/m:generateContent{kept}"


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"path": "/v1/embeddings"}, "path"),
        ({"path": "/v1beta/models"}, "path"),
        ({"path": "/dance/chat/completions"}, "path"),
        ({"path": "/chat/completions"}, "path"),
        ({"path": "/v1beta/models/a/b:generateContent"}, "path"),
        ({"format": "gemini"}, "path"),
        ({"format": "gemini", "path": "/v1/chat/completions"}, "path"),
        ({"format": "cobol"}, "format"),
        ({"path": 5}, "path"),
    ],
)
def test_what_cannot_be_translated_is_named(request_: dict[str, Any], param: str) -> None:
    assert fault(**request_).param == param


@pytest.mark.parametrize(
    ("document", "param"),
    [(b"{}", "body"), (b"[]", None), (b"", None), (b"{", None), (b"\xff", None), (b"[" * 100_000, None)],
)
def test_a_document_that_cannot_be_read(document: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Shown().surface.translated(document)
    assert caught.value.param == param


async def test_it_is_the_answer_to_a_request() -> None:
    client = Client()
    await Shown().surface.show(client.exchange(), b'{"body": {}}')
    assert client.sent[0]["status"] == 200 and client.headers[b"content-type"] == b"application/json"
    assert json.loads(client.body)["object"] == "gemgate.translation"


async def test_strict_mode_refuses_what_would_be_dropped() -> None:
    exchange = Client().exchange()
    exchange.strict = True
    with pytest.raises(InvalidRequest) as caught:
        await Shown().surface.show(exchange, b'{"body": {}}')
    assert (caught.value.code, caught.value.param) == ("would_be_dropped", "n")


# ── with the real parts ──


def translated(tmp_path: Path, environment: dict[str, str], **request: Any) -> Any:
    settings = load({"GEMGATE_DATA_DIR": str(tmp_path / "data")} | environment)
    shown = json.loads(translator(settings).translated(json.dumps(request).encode()))
    assert not (tmp_path / "data").exists(), "a dry run leaves nothing behind"
    return shown


def test_for_gemini(tmp_path: Path) -> None:
    body = {"model": "gemini-2.5-flash-nothinking", "messages": [{"role": "user", "content": "hi"}]}
    shown = translated(tmp_path, {"GEMINI_API_KEYS": "secret-key"}, body=body)
    assert shown["model"] == {"asked": "gemini-2.5-flash-nothinking", "sent": shown["model"]["sent"]}
    assert shown["request"]["body"]["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]
    assert "secret-key" not in json.dumps(shown)


def test_for_the_embedded_model(tmp_path: Path) -> None:
    body = {"model": "any", "messages": [{"role": "user", "content": "hi"}], "n": 2}
    shown = translated(tmp_path, {}, body=body)
    assert shown["upstream"] == "embedded" and shown["model"]["sent"] != "any" and shown["times"] == 1
    native = {"contents": [{"parts": [{"text": "hi"}]}]}
    shown = translated(tmp_path, {}, path=NATIVE, body=native)
    assert shown["request"]["body"]["messages"] == [{"role": "user", "content": "hi"}]


def test_what_the_embedded_model_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(Unsupported):
        translated(tmp_path, {}, path="/v1beta/models/m:embedContent", body={})


def test_a_fault_of_the_body_is_that_of_answering_it(tmp_path: Path) -> None:
    with pytest.raises(GemgateError) as caught:
        translated(tmp_path, {"GEMINI_API_KEYS": "A"}, body={"model": "m", "messages": []})
    assert isinstance(caught.value, InvalidRequest) and caught.value.param == "messages"


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.png", "https://me:pw@x.test/a.png", "https://x.test:22/a.png"])
def test_an_address_that_would_not_be_fetched(tmp_path: Path, url: str) -> None:
    content = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    body = {"model": "gemini-2.0-flash", "messages": [{"role": "user", "content": content}]}
    with pytest.raises(InvalidRequest) as caught:
        translated(tmp_path, {"GEMINI_API_KEYS": "A"}, body=body)
    assert caught.value.code == "media_refused" and (caught.value.param or "").startswith("messages.0.content")
