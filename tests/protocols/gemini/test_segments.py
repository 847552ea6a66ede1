"""Large media are never copied: the body is slices of the client's own request, and joined it is the request."""

import base64
import json
import tracemalloc

import pytest

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate
from gemgate.hub.parts import Inline, Media, Message, Text, ToolCall, ToolResult, Vendor
from gemgate.protocols.gemini.outbound import count_tokens, outbound
from gemgate.protocols.gemini.segments import LARGE_BYTES
from tests.protocols.shaping import MODELS, NEW, OLD, ask, body_of

GEMINI_3 = "gemini-3-flash-preview"


def sliced(raw: bytes, count: int = 1) -> list[memoryview]:
    """Slices of one buffer, as an inbound finds them in a client's request."""
    data = base64.urlsafe_b64encode(raw)
    request = memoryview(b"".join(b'{"url":"data:image/png;base64,' + data + b'"}' for _ in range(count)))
    step = len(request) // count
    return [request[n * step + 30 : n * step + 30 + len(data)] for n in range(count)]


def image(data: memoryview | str) -> Media:
    return Media("image/png", Inline(data))


LARGE = bytes(range(256)) * 400


def test_large_slices_are_passed_on_as_they_are() -> None:
    one, two, three = sliced(LARGE, 3)
    call = ask(
        Message("user", (Text("look \x00"), image(one), Text("and"), image(two))),
        Message("model", (ToolCall("1", "f", '{"a":"\\u0000"}'),)),
        Message("user", (ToolResult("1", "f", "{}", (image(three),)),)),
    )
    rendered = outbound(call, NEW)
    found = [segment for segment in rendered.body if isinstance(segment, memoryview)]
    assert [segment.obj is one.obj for segment in found] == [True] * 3
    body = body_of(rendered, GEMINI_3, NEW)
    first = body["contents"][0]["parts"]
    assert [part["inlineData"]["data"] for part in (first[1], first[3])] == [str(one, "ascii"), str(two, "ascii")]
    assert body["contents"][2]["parts"][0]["functionResponse"]["parts"][0]["inlineData"]["data"] == str(three, "ascii")
    assert first[0] == {"text": "look \x00"}


@pytest.mark.parametrize(("extra", "count"), [(-1, 1), (0, 3)])
def test_small_slices_are_not_worth_a_segment(extra: int, count: int) -> None:
    data = memoryview(b"A" * (LARGE_BYTES + extra))
    rendered = outbound(ask(Message("user", (image(data),))), OLD)
    assert len(rendered.body) == count
    assert json.loads(b"".join(rendered.body))["contents"][0]["parts"][0]["inlineData"]["data"] == str(data, "ascii")


def test_text_is_one_segment() -> None:
    text = image(base64.b64encode(LARGE).decode())
    assert len(outbound(ask(Message("user", (text,))), OLD).body) == 1


@pytest.mark.parametrize("model", MODELS)
def test_the_clients_own_fields_are_merged_around_large_slices(model: str) -> None:
    (one,) = sliced(LARGE)
    vendor = Vendor(
        "gemini", '{"generation_config":{"image_config":{"imageSize":"1K"}},"cachedContent":"cachedContents/a"}'
    )
    call = ask(Message("user", (image(one),)), vendor=vendor)
    body = body_of(outbound(call, MODELS[model]), model, MODELS[model])
    assert body["contents"][0]["parts"][0]["inlineData"]["data"] == str(one, "ascii")
    assert body["generationConfig"] == {"imageConfig": {"imageSize": "1K"}}


def test_media_of_the_system_text_are_a_question_of_the_users() -> None:
    (one,) = sliced(LARGE)
    call = Generate(model="m", messages=(), system=(image(one),), vendor=Vendor("gemini", '{"labels":{}}'))
    body = json.loads(b"".join(outbound(call, OLD).body))
    assert body["contents"][0]["parts"][0]["inlineData"]["data"] == str(one, "ascii")
    assert "systemInstruction" not in body


@pytest.mark.parametrize("own", ['{"systemInstruction":"a"}', '{"tools":[{"googleSearch":{}}]}', "{}"])
def test_only_contents_of_an_extension_clash_with_large_slices(own: str) -> None:
    (one,) = sliced(LARGE)
    call = ask(system=(Text("s"), image(one)), vendor=Vendor("gemini", own))
    body = json.loads(b"".join(outbound(call, OLD).body))
    assert body["contents"][0]["parts"][0]["inlineData"]["data"] == str(one, "ascii")


def test_contents_of_an_extension_cannot_replace_large_slices() -> None:
    (one,) = sliced(LARGE)
    vendor = Vendor("gemini", '{"contents":[{"parts":[{"text":"a"}]}]}')
    with pytest.raises(InvalidRequest, match="`contents`"):
        outbound(ask(Message("user", (image(one),)), vendor=vendor), OLD)


def test_counting_joins_the_segments() -> None:
    (one,) = sliced(LARGE)
    counted = json.loads(count_tokens(outbound(ask(Message("user", (image(one),))), OLD), "m"))
    part = counted["generateContentRequest"]["contents"][0]["parts"][0]
    assert part["inlineData"]["data"] == str(one, "ascii")


def test_memory_does_not_grow_with_the_media() -> None:
    data = memoryview(b"A" * (32 * 1024 * 1024))
    call = ask(Message("user", (image(data),)), vendor=Vendor("gemini", '{"labels":{"a":"b"}}'))
    tracemalloc.start()
    try:
        outbound(call, OLD)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1024 * 1024
