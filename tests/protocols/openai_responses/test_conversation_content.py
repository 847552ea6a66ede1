"""What messages hold: texts and media, wherever clients put them."""

import json

import pytest
from msgspec import Raw

from gemgate.hub.parts import Inline, Media, Remote, Text
from gemgate.protocols.openai_responses.conversation import Past, conversation
from tests.protocols.openai_responses.conversing import HI, PDF, PNG, assistant, lost, messages, refusal, talk, user

PICTURE = Media("image/png", Inline(PNG))


def as_text(media: object) -> Media:
    """Media with their base64 as text."""
    assert isinstance(media, Media) and isinstance(media.source, Inline)
    return Media(media.mime_type, Inline(media.source.text), detail=media.detail)


@pytest.mark.parametrize("kind", ["input_text", "output_text", "text", "summary_text"])
def test_texts_of_any_type(kind: str) -> None:
    assert user({"type": kind, "text": "a"}) == (Text("a"),)
    assert assistant({"type": kind, "text": "a"}) == (Text("a"),)


def test_a_refusal_is_what_the_model_said() -> None:
    assert assistant({"type": "refusal", "refusal": "no"}) == (Text("no"),)


def test_a_thought_in_an_answer_is_of_no_use() -> None:
    assert assistant({"type": "reasoning_text", "text": "hm"}, {"type": "output_text", "text": "a"}) == (Text("a"),)


def test_empty_texts_are_nothing() -> None:
    assert user({"type": "input_text", "text": ""}, {"type": "input_text", "text": None}, "a") == (Text("a"),)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
        {"type": "input_image", "image_url": PNG},
        {"type": "input_image", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "input_file", "file_data": PNG, "filename": "a.png"},
        {"type": "input_file", "file_data": f"data:image/png;base64,{PNG}"},
        {"type": "file", "file": {"file_data": f"data:image/png;base64,{PNG}", "filename": "a.png"}},
        {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PNG}"},
    ],
)
def test_images_in_any_slot(part: object) -> None:
    (found,) = user(part)
    assert as_text(found) == PICTURE


@pytest.mark.parametrize(
    ("detail", "expected"), [("low", "low"), ("high", "high"), ("auto", None), ("original", "ultra_high"), (None, None)]
)
def test_how_closely_to_look(detail: str | None, expected: str | None) -> None:
    (found,) = user({"type": "input_image", "image_url": PNG, "detail": detail})
    assert isinstance(found, Media) and found.detail == expected


def test_an_unknown_detail_is_refused() -> None:
    part = {"type": "input_image", "image_url": PNG, "detail": "eagle"}
    assert refusal([{"role": "user", "content": [part]}]).param == "input.0.content.0.image_url"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_image", "image_url": "https://example.com/a.pdf"},
    ],
)
def test_media_at_an_address(part: object) -> None:
    (found,) = user(part)
    assert isinstance(found, Media) and found.source == Remote("https://example.com/a.pdf")


def test_a_file_is_told_by_its_first_bytes_or_its_name() -> None:
    pdf, notes = user(
        {"type": "input_file", "file_data": PDF},
        {"type": "input_file", "file_data": "aGVsbG8gd29ybGQsIHRoaXMgaXMgdGV4dA==", "filename": "notes.txt"},
    )
    assert isinstance(pdf, Media) and pdf.mime_type == "application/pdf"
    assert isinstance(notes, Media) and notes.mime_type == "text/plain"


def test_a_file_of_the_upstreams_own() -> None:
    (found,) = user({"type": "input_file", "file_id": "files/abc-123"})
    assert isinstance(found, Media) and found.source == Remote("files/abc-123")


@pytest.mark.parametrize("file_id", ["file-CmKZQn5qLRRgcAjS61GSqv", "file-abc", "file_011C"])
@pytest.mark.parametrize("kind", ["input_file", "input_image"])
def test_other_files_are_not_here(kind: str, file_id: str) -> None:
    error = refusal([HI, {"role": "user", "content": ["a", {"type": kind, "file_id": file_id}]}])
    assert error.param == "input.1.content.1.file_id" and "Upload" in error.message


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "UklGRiQAAABXQVZFZm10IA==", "format": "wav"}},
        {"type": "input_audio", "data": "UklGRiQAAABXQVZFZm10IA==", "format": "wav"},
    ],
)
def test_sound_flat_or_nested(part: object) -> None:
    (found,) = user(part)
    assert isinstance(found, Media) and found.mime_type == "audio/wav"


@pytest.mark.parametrize("slot", ["video_url", "input_video"])
def test_video(slot: str) -> None:
    (found,) = user({"type": "input_video", slot: {"url": "https://example.com/a.mp4"}})
    assert isinstance(found, Media) and found.source == Remote("https://example.com/a.mp4")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "image_url": "no picture"},
        {"type": "input_image", "image_url": ""},
        {"type": "input_image"},
        {"type": "input_file", "filename": "a.pdf"},
        {"type": "input_file", "file": {}},
        {"type": "input_audio", "input_audio": {}},
        {"type": "hologram"},
        {},
    ],
)
def test_what_cannot_be_sent_is_refused_where_it_stands(part: object) -> None:
    param = refusal([HI, {"role": "user", "content": ["a", part]}]).param
    assert param is not None and param.startswith("input.1.content.1")


def test_what_is_unknown_in_an_answer_is_told() -> None:
    assert lost(HI, {"role": "assistant", "content": [{"type": "hologram"}, {"type": "output_text"}]}) == [
        "input.1.content.0"
    ]


def test_an_unknown_part_with_a_text_is_that_text() -> None:
    assert user({"type": "markdown", "text": "a"}) == (Text("a"),)


@pytest.mark.parametrize("listed", [False, True])
def test_images_that_an_answer_showed_are_images_again(listed: bool) -> None:
    text = f"see\n![image](data:image/png;base64,{PNG})\nso"
    content = [{"type": "output_text", "text": text}] if listed else text
    found = messages(HI, {"role": "assistant", "content": content})[1].parts
    assert (found[0], found[2]) == (Text("see"), Text("so")) and as_text(found[1]) == PICTURE


def test_the_user_may_speak_of_such_links() -> None:
    text = f"![image](data:image/png;base64,{PNG})"
    assert messages({"role": "user", "content": text})[0].parts == (Text(text),)


def test_base64_is_a_slice_of_the_request() -> None:
    parts = [
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
        {"type": "input_file", "file_data": PDF},
        {"type": "input_audio", "input_audio": {"data": "UklGRiQAAABXQVZFZm10IA==", "format": "wav"}},
    ]
    output = {"type": "function_call_output", "call_id": "a", "output": parts[:1]}
    image = {"type": "image_generation_call", "result": PNG}
    body = json.dumps([{"role": "user", "content": parts}, image, output]).encode()
    found = conversation(Raw(body), Past(), Raw(b"null"))
    result = found.messages[2].parts[0]
    media = [*found.messages[0].parts, *found.messages[1].parts, *getattr(result, "media", ())]
    assert len(media) == 5
    for one in media:
        assert isinstance(one, Media) and isinstance(one.source, Inline)
        assert isinstance(one.source.data, memoryview) and isinstance(one.source.data.obj, Raw)


def test_media_in_instructions() -> None:
    found = talk("hi", instructions=[{"role": "developer", "content": [{"type": "input_image", "image_url": PNG}]}])
    assert as_text(found.system[0]) == PICTURE and found.paths == {"system.0": "instructions.0.content.0"}
