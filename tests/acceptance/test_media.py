"""Rows 26 and 27: large images, and embeddings one for each input."""

import re
from typing import Any

import pytest

from tests.acceptance.playing import PATH, Json, answering, each_form, form
from tests.bed.strict_gemini import PIXEL
from tests.bed.upstream import Received, json_reply, part_chunk
from tests.bed.upstream.generate import embed
from tests.e2e.bed import CHAT, NATIVE, ON_LINUX, Bed, generate_path, measured, peak_mb, reset_peak, running_bed

IMAGES = "gemini-3-pro-image"
SIZE = 16 * 1024 * 1024
LIMIT_MB = 120
"""A line is held whole: as it came, as JSON and as it goes; not once for each piece that it came in."""
SLACK_MB = 20


def picture() -> Json:
    data = "iVBORw0KGgoA" + "QUJD" * (SIZE // 4)
    return part_chunk({"text": "Look: "}, {"inlineData": {"mimeType": "image/png", "data": data}}, finish="STOP")


@pytest.mark.acceptance(26)
@pytest.mark.parametrize("way", ["chat-stream", "chat-whole", "native-stream"])
async def test_an_image_of_16_mb(way: str) -> None:
    """It arrives whole, again and again, and the memory that it took is given back."""
    stream = way != "chat-whole"
    body = NATIVE if way == "native-stream" else CHAT | {"model": IMAGES} | form(stream=stream)
    path = PATH if body is not NATIVE else generate_path(IMAGES, "streamGenerateContent") + "?alt=sse"
    document = picture()
    data = document["candidates"][0]["content"]["parts"][1]["inlineData"]["data"].encode()
    with running_bed() as bed:
        held = reset_peak(bed.gateway.process.pid) if ON_LINUX else 0
        grown: list[float] = []
        for _ in range(4):
            bed.up.answer(answering([document], stream=stream))
            answered = await bed.ask("POST", path, body, timeout=30)
            assert answered.status == 200 and answered.body.count(data) == 1
            if ON_LINUX:
                grown.append(peak_mb(bed.gateway.process.pid) - held)
                reset_peak(bed.gateway.process.pid)
        measured(f"image of 16 MB, {way}: at most {', '.join(f'{each:.0f}' for each in grown)} MB more than before")
        assert not grown or (max(grown) < LIMIT_MB and grown[-1] < grown[0] + SLACK_MB)


@pytest.mark.acceptance(26)
@each_form
async def test_a_streamed_image_is_not_empty(bed: Bed, stream: bool) -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
    for modalities, where in ((None, "content"), (["text", "image"], "images")):
        bed.up.answer(answering([part_chunk(part), part_chunk({"text": ""}, finish="STOP")], stream=stream))
        more: Any = {"modalities": modalities} if modalities else {}
        answered = await bed.chat(model=IMAGES, **form(stream=stream), **more)
        text = answered.body.decode()
        assert text.count(PIXEL) == 1 and (where == "images") == ('"images"' in text)


@pytest.mark.acceptance(27)
@pytest.mark.parametrize("count", [1, 2, 100, 101, 250])
@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
async def test_as_many_embeddings_as_texts(bed: Bed, model: str, count: int) -> None:
    """In their order, however many there are; the service takes a hundred at a time."""

    def script(request: Received) -> Any:
        asked = request.json["requests"]
        assert 0 < len(asked) <= 100
        return json_reply({"embeddings": [embed(one) for one in asked], "usageMetadata": {"promptTokenCount": 1}})

    bed.up.script = script
    texts = [f"text {number}" for number in range(count)]
    asked = [
        {"model": f"models/{model}", "content": {"parts": [{"text": text}]}, "outputDimensionality": 8}
        for text in texts
    ]
    answered = await bed.ask("POST", generate_path(model, "batchEmbedContents"), {"requests": asked})
    assert answered.status == 200, answered.body
    assert answered.json["embeddings"] == [embed(one) for one in asked]
    sent = [re.findall(rb"text \d+", request.body) for request in bed.up.requests]
    assert sum(len(one) for one in sent) == count and len(sent) == -(-count // 100)
