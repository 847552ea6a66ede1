"""Images, documents and results: what they become, and where they stood."""

import tracemalloc
from typing import Any

import pytest

from gemgate.hub.parts import Inline, Media, Remote, Text, ToolResult
from gemgate.protocols.anthropic.inbound import inbound
from tests.protocols.anthropic.asking import (
    HI,
    PDF,
    PNG,
    Json,
    call_of,
    history,
    lost,
    parse,
    refusal,
    result,
    text,
    use,
    user,
)

JPEG = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJ"


def image(**source: Any) -> Json:
    return {"type": "image", "source": source}


def document(source: Json, **more: Any) -> Json:
    return {"type": "document", "source": source} | more


def inline(part: Any) -> tuple[str, str]:
    assert isinstance(part, Media) and isinstance(part.source, Inline)
    return part.mime_type, part.source.text


# ── images ──


@pytest.mark.parametrize(
    ("source", "kind", "data"),
    [
        ({"type": "base64", "media_type": "image/png", "data": PNG}, "image/png", PNG),
        ({"media_type": "image/png", "data": PNG}, "image/png", PNG),
        ({"type": "base64", "media_type": "image/jpeg", "data": PNG}, "image/png", PNG),
        ({"type": "base64", "data": JPEG}, "image/jpeg", JPEG),
        ({"type": "base64", "media_type": "image/png", "data": f"data:image/png;base64,{PNG}"}, "image/png", PNG),
        ({"type": "url", "url": f"data:image/png;base64,{PNG}"}, "image/png", PNG),
        ({"type": "base64", "data": f" {PNG[:40]}\n{PNG[40:]}\r\n"}, "image/png", PNG),
    ],
)
def test_images_carried_in_the_request(source: Json, kind: str, data: str) -> None:
    assert inline(user(image(**source))[0]) == (kind, data)


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ({"type": "url", "url": "https://a.de/x.png"}, "https://a.de/x.png"),
        ({"type": "url", "url": "http://a.de/x"}, "http://a.de/x"),
        ({"type": "url", "url": "gs://bucket/x"}, "gs://bucket/x"),
        ({"type": "base64", "data": "https://a.de/x.png"}, "https://a.de/x.png"),
        ({"type": "file", "file_id": "files/abc-123"}, "files/abc-123"),
        ({"type": "file", "file_id": "abc-123"}, "files/abc-123"),
        ({"type": "url", "url": "files/abc-123"}, "files/abc-123"),
    ],
)
def test_images_at_an_address(source: Json, address: str) -> None:
    parsed = parse(messages=[{"role": "user", "content": [text("see"), image(**source)]}])
    assert parsed.remote
    assert parsed.call.messages[0].parts[1] == Media("", Remote(address))  # type: ignore[union-attr]
    assert parsed.paths["messages.0.parts.1"] == "messages.0.content.1.source"


@pytest.mark.parametrize(
    ("source", "param"),
    [
        ({"type": "file", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}, "file_id"),
        ({"type": "base64", "media_type": "image/png", "data": "no base64, this!"}, "data"),
        ({"type": "base64", "media_type": "image/png", "data": ""}, "data"),
        ({"type": "base64", "media_type": "image/png", "data": 5}, "data"),
        ({"type": "base64", "data": "AAAABBBBCCCCDDDDEEEEFFFFGGGG"}, "data"),
        ({"type": "url", "url": "ftp://a.de/x"}, "url"),
        ({"type": "url", "url": "/etc/passwd"}, "url"),
    ],
)
def test_images_that_cannot_be_sent_are_refused(source: Json, param: str) -> None:
    found = refusal(messages=[{"role": "user", "content": [text("see"), image(**source)]}])
    assert found.param == f"messages.0.content.1.source.{param}"
    empty = refusal(messages=[{"role": "user", "content": [image(type="url")]}])
    assert empty.param == "messages.0.content.0.source"


def test_a_foreign_file_is_refused_with_a_cure() -> None:
    found = refusal(messages=[{"role": "user", "content": [image(type="file", file_id="file_011CNha8")]}])
    assert "files/" in found.message


def test_media_of_any_block_that_has_a_source() -> None:
    sound = {
        "type": "audio",
        "source": {"type": "base64", "media_type": "audio/wav", "data": "UklGRqQMAABXQVZFZm10IBAA"},
    }
    assert inline(user(sound)[0])[0] == "audio/wav"


def test_large_media_are_not_copied() -> None:
    size = 20 * 1024 * 1024
    body = b'{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"data":"%s"}}]}]}' % (
        PNG[:40].encode() + b"A" * size
    )
    tracemalloc.start()
    call = inbound(memoryview(body)).call
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (part,) = call.messages[0].parts  # type: ignore[union-attr]
    assert isinstance(part, Media) and isinstance(part.source, Inline) and isinstance(part.source.data, memoryview)
    assert len(part.source.data) > size and peak < 2 * 1024 * 1024


def test_what_shall_be_done_to_an_image_is_recorded() -> None:
    block = image(data=PNG) | {"transformations": {"resize": "fit"}}
    assert lost(messages=[{"role": "user", "content": [block]}]) == ["messages.0.content.0.transformations"]


# ── documents ──


def test_documents_of_base64() -> None:
    assert inline(user(document({"type": "base64", "media_type": "application/pdf", "data": PDF}))[0]) == (
        "application/pdf",
        PDF,
    )
    table = document({"type": "base64", "data": "YSxiCjEsMgozLDQKNSw2Cjcs"}, title="a.csv")
    assert user(table)[0] == Text("Document: a.csv")
    assert inline(user(table)[1])[0] == "text/csv"


def test_documents_of_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Words."}
    assert user(document(source)) == (Text("Words."),)
    assert user(document(source, title="T", context="C")) == (Text("Document: T\nC"), Text("Words."))
    assert user(document(source | {"data": ""}, title=None, context=None)) == ()


def test_documents_at_an_address() -> None:
    assert user(document({"type": "url", "url": "https://a.de/x.pdf"})) == (Media("", Remote("https://a.de/x.pdf")),)
    assert user(document({"type": "file", "file_id": "files/abc"})) == (Media("", Remote("files/abc")),)


def test_documents_of_blocks() -> None:
    assert user(document({"type": "content", "content": "Words."})) == (Text("Words."),)
    parts = user(document({"type": "content", "content": [text("a"), image(data=PNG), text("b")]}, title="T"))
    assert parts[0] == Text("Document: T") and parts[1] == Text("a") and parts[3] == Text("b")
    assert inline(parts[2]) == ("image/png", PNG)
    bad = document({"type": "content", "content": [text("a"), image(data="?")]})
    found = refusal(messages=[{"role": "user", "content": [bad]}])
    assert found.param == "messages.0.content.0.source.content.1.source.data"


def test_citations_that_cannot_be_had_are_recorded_once() -> None:
    cited = document({"type": "text", "data": "a"}, citations={"enabled": True})
    off = document({"type": "text", "data": "a"}, citations={"enabled": False})
    content = [off, cited, cited, text("a") | {"citations": [{"type": "char_location"}]}]
    assert lost(messages=[{"role": "user", "content": content}]) == ["messages.0.content.1.citations"]


def test_search_results_keep_where_they_are_from() -> None:
    block = {
        "type": "search_result",
        "source": "https://a.de/page",
        "title": "Title",
        "content": [text("one"), text("two")],
        "citations": {"enabled": False},
    }
    (part,) = user(block)
    assert isinstance(part, Text)
    assert [word in part.text for word in ("https://a.de/page", "Title", "one\ntwo")] == [True] * 3


# ── results ──


@pytest.mark.parametrize(
    ("block", "response"),
    [
        (result("1", "sunny"), '{"output":"sunny"}'),
        (result("1", '{"a": 1.50}'), '{"a": 1.50}'),
        (result("1", "[1]"), '{"output":"[1]"}'),
        (result("1", [text("a"), text("b")]), '{"output":"a\\nb"}'),
        (result("1", []), '{"output":""}'),
        (result("1", None), '{"output":""}'),
        (result("1", text("a")), '{"output":"a"}'),
        (result("1", "boom", is_error=True), '{"error":"boom"}'),
        (result("1", '{"a": 1}', is_error=True), '{"error":"{\\"a\\": 1}"}'),
        (result("1", "ok", is_error=False, cache_control={"type": "ephemeral"}, toolset_name="t"), '{"output":"ok"}'),
    ],
)
def test_results_of_text(block: Json, response: str) -> None:
    messages = history({"role": "assistant", "content": [use("1")]}, {"role": "user", "content": [block]})
    assert messages[2].parts == (ToolResult("1", "f", response),)


def test_results_of_media_documents_and_references() -> None:
    content = [
        text("see"),
        image(type="base64", media_type="image/png", data=PNG),
        document({"type": "base64", "media_type": "application/pdf", "data": PDF}, title="T"),
        document({"type": "text", "data": "page"}),
        {"type": "tool_reference", "tool_name": "get_x"},
        {"type": "search_result", "source": "https://a.de", "title": "R", "content": [text("found")]},
    ]
    parsed = parse(
        messages=[
            HI,
            {"role": "assistant", "content": [use("1")]},
            {"role": "user", "content": [result("1", content), text("and?")]},
        ]
    )
    found, after = parsed.call.messages[2].parts  # type: ignore[union-attr]
    assert isinstance(found, ToolResult) and after == Text("and?")
    assert [inline(media) for media in found.media] == [("image/png", PNG), ("application/pdf", PDF)]
    for word in ("see", "T", "page", "get_x", "https://a.de", "found"):
        assert word in found.response
    assert parsed.paths["messages.2.parts.0"] == "messages.2.content.0" and not parsed.dropped and not parsed.remote


def test_media_of_results_may_be_at_an_address() -> None:
    block = result("1", [image(type="url", url="https://a.de/x.png")])
    assert parse(
        messages=[HI, {"role": "assistant", "content": [use("1")]}, {"role": "user", "content": [block]}]
    ).remote


def test_faults_within_results_are_named() -> None:
    for content, param in (
        ([{"type": "text", "text": 5}], "content.0.text"),
        (5, "content"),
        ([image(data="?")], "content.0.source.data"),
    ):
        found = refusal(messages=[{"role": "user", "content": [result("1", content)]}])
        assert found.param == f"messages.0.content.0.{param}"


def test_where_media_of_the_system_stood() -> None:
    parsed = parse(system=[text("a"), image(data=PNG)])
    assert parsed.paths["system.1"] == "system.1"
    assert call_of(system=[text("a"), image(data=PNG)]).system[0] == Text("a")
