"""Media in every slot and every form (notes §1.4, §8)."""

import base64
import json
import time
import tracemalloc

import pytest
from msgspec import Raw

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate
from gemgate.hub.parts import Inline, Media, Part, Remote, Signature, Text, ToolResult
from gemgate.protocols.openai_chat.inbound import inbound
from tests.protocols.openai_chat.asking import HI, Json, assistant, call_of, parse, refusal, user

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(40))).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(40)).decode()
WAV = base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt " + bytes(24)).decode()
MP4 = base64.b64encode(b"\0\0\0\x20ftypisom" + bytes(24)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(24)).decode()
UNKNOWN = base64.b64encode(bytes([7]) * 40).decode()


def shown(parts: tuple[Part, ...]) -> list[tuple[str, str]]:
    """Type and data, or address, of each of the media."""
    found: list[tuple[str, str]] = []
    for part in parts:
        assert isinstance(part, Media)
        where = part.source.text if isinstance(part.source, Inline) else ""
        where = part.source.url if isinstance(part.source, Remote) else where
        found.append((part.mime_type, where))
    return found


@pytest.mark.parametrize(
    ("mime", "data"), [("image/png", PNG), ("audio/wav", WAV), ("video/mp4", MP4), ("application/pdf", PDF)]
)
def test_any_media_in_image_url(mime: str, data: str) -> None:
    """Notes §1.4: data URL or bare base64, an object or a plain string; what counts are the first bytes."""
    for url in (f"data:{mime};base64,{data}", f"data:image/jpeg;base64,{data}", f"data:;base64,{data}", data):
        for slot in ({"url": url}, {"url": url, "detail": None}, url):
            part = {"type": "image_url", "image_url": slot}
            assert shown(user(part)) == [(mime, data)], url[:40]
            assert not parse(messages=[{"role": "user", "content": [part]}]).remote


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}, ("audio/wav", WAV)),
        ({"type": "input_audio", "input_audio": {"data": f"data:audio/wav;base64,{WAV}"}}, ("audio/wav", WAV)),
        ({"type": "input_audio", "input_audio": {"data": UNKNOWN, "format": "mp3"}}, ("audio/mp3", UNKNOWN)),
        ({"type": "input_audio", "input_audio": {"data": "SUQzBAAAAAAAAA==", "format": None}}, ("audio/mp3", None)),
        ({"type": "input_audio", "input_audio": WAV}, ("audio/wav", WAV)),
        ({"type": "input_audio", "input_audio": {"url": "https://x.de/a.wav"}}, ("audio/*", "https://x.de/a.wav")),
        ({"type": "video_url", "video_url": {"url": "https://x.de/v"}}, ("video/*", "https://x.de/v")),
        ({"type": "video_url", "video_url": "https://x.de/v.mp4"}, ("video/*", "https://x.de/v.mp4")),
        ({"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{MP4}"}}, ("video/mp4", MP4)),
        ({"type": "audio_url", "audio_url": {"url": WAV}}, ("audio/wav", WAV)),
        ({"type": "audio_url", "audio_url": {"url": "http://x.de/a"}}, ("audio/*", "http://x.de/a")),
        ({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}, ("image/png", PNG)),
        ({"type": "input_image", "file_id": "files/abc-1"}, ("", "files/abc-1")),
        ({"type": "input_file", "file_data": PDF, "filename": "a.pdf"}, ("application/pdf", PDF)),
        ({"type": "input_file", "file_url": "https://x.de/a.pdf"}, ("", "https://x.de/a.pdf")),
        ({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}}, ("application/pdf", PDF)),
        ({"type": "file", "file": {"file_data": PDF}}, ("application/pdf", PDF)),
        ({"type": "file", "file": {"file_data": "aGk=", "filename": "a.txt"}}, ("text/plain", "aGk=")),
        ({"type": "file", "file": {"file_data": UNKNOWN, "filename": "a.md"}}, ("text/markdown", UNKNOWN)),
        ({"type": "file", "file": {"file_id": "abc-1", "filename": None}}, ("", "files/abc-1")),
        ({"type": "file", "file": {"file_id": "files/abc-1", "mime_type": "image/png"}}, ("image/png", "files/abc-1")),
        ({"type": "file", "file": {"file_url": "https://x.de/a.pdf"}}, ("", "https://x.de/a.pdf")),
        ({"type": "image", "image": PNG}, ("image/png", PNG)),
        ({"inline_data": {"mime_type": "image/png", "data": PNG}}, ("image/png", PNG)),
        ({"inlineData": {"mimeType": "image/png", "data": PNG}}, ("image/png", PNG)),
        ({"fileData": {"mimeType": "video/mp4", "fileUri": "https://x.de/v"}}, ("video/mp4", "https://x.de/v")),
        ({"file_data": {"mime_type": "video/mp4", "file_uri": "gs://b/v"}}, ("video/mp4", "gs://b/v")),
        ({"type": "image_url", "image_url": {"url": "gs://b/o.png"}}, ("", "gs://b/o.png")),
        ({"type": "image_url", "image_url": {"url": "HTTPS://x.de/o"}}, ("", "HTTPS://x.de/o")),
        ({"type": "image_url", "image_url": {"url": "files/abc-1"}}, ("", "files/abc-1")),
        (
            {"type": "image_url", "image_url": {"url": "https://www.youtube.com/watch?v=abc"}},
            ("", "https://www.youtube.com/watch?v=abc"),
        ),
    ],
)
def test_slots(part: Json, wanted: tuple[str, str | None]) -> None:
    ((mime, where),) = shown(user(part))
    assert mime == wanted[0] and (wanted[1] is None or where == wanted[1])
    parsed = parse(messages=[HI, {"role": "user", "content": [{"type": "text", "text": "see"}, part]}])
    assert parsed.remote == ("://" in where or where.startswith("files/"))
    assert parsed.paths["messages.1.parts.1"] == "messages.1.content.1"


@pytest.mark.parametrize(
    ("detail", "wanted"),
    [
        ("low", "low"),
        ("HIGH", "high"),
        ("auto", None),
        ("", None),
        (None, None),
        ("original", "ultra_high"),
        ("medium", "medium"),
    ],
)
def test_detail(detail: str | None, wanted: str | None) -> None:
    for part in ({"image_url": {"url": PNG, "detail": detail}}, {"image_url": PNG, "detail": detail}):
        (media,) = user({"type": "image_url", **part})
        assert isinstance(media, Media) and media.detail == wanted


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url"},
        {"type": "image_url", "image_url": None},
        {"type": "image_url", "image_url": {}},
        {"type": "image_url", "image_url": {"url": None}},
        {"type": "image_url", "image_url": {"url": ""}},
        {"type": "image_url", "image_url": {"url": 5}},
        {"type": "image_url", "image_url": 5},
        {"type": "image_url", "image_url": {"url": "ftp://x.de/a"}},
        {"type": "image_url", "image_url": {"url": "/etc/passwd"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
        {"type": "image_url", "image_url": {"url": f"data:;base64,{UNKNOWN}"}},
        {"type": "image_url", "image_url": {"url": UNKNOWN}},
        {"type": "image_url", "image_url": {"url": PNG, "detail": "huge"}},
        {"type": "input_audio", "input_audio": {}},
        {"type": "input_audio", "input_audio": {"data": "no base64!"}},
        {"type": "file", "file": {}},
        {"type": "file", "file": {"file_id": "../../etc"}},
        {"type": "file", "file": {"filename": "a.pdf"}},
        {"inlineData": {"mimeType": "image/png"}},
        {"inlineData": {"mimeType": 5, "data": PNG}},
        {"inlineData": [PNG]},
        {"type": "video"},
        {},
    ],
)
def test_what_is_no_media_is_refused_where_it_stands(part: Json) -> None:
    found = refusal(messages=[HI, {"role": "user", "content": [{"type": "text", "text": "see"}, part]}])
    assert found.param == "messages.1.content.1"


def test_texts_in_parts() -> None:
    parts = user(
        {"type": "text", "text": "a"},
        {"text": "b"},
        {"type": "input_text", "text": "c"},
        {"type": "text", "text": ""},
        {"type": "text", "text": None},
        {"type": "refusal", "refusal": "d"},
    )
    assert parts == (Text("a"), Text("b"), Text("c"), Text("d"))
    assert call_of(messages=[{"role": "user", "content": {"type": "text", "text": "a"}}]).messages[0].parts == parts[:1]


def test_thoughts_of_others_are_left_out() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "x"}
    assert assistant(content=[thought, {"type": "text", "text": "a"}], reasoning_content="hm") == (Text("a"),)


def test_media_of_a_system_message() -> None:
    parsed = parse(messages=[{"role": "system", "content": [{"type": "image_url", "image_url": "https://x.de/a"}]}, HI])
    assert parsed.remote and parsed.paths["system.0"] == "messages.0.content.0"


def test_media_in_results_of_tools() -> None:
    """Tool content lists, as LangChain sends them: texts joined, images beside them."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    content = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "text", "text": "b"},
    ]
    parsed = parse(
        messages=[
            HI,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": content},
            {"role": "tool", "tool_call_id": "c0", "content": [{"type": "image_url", "image_url": "https://x.de/a"}]},
        ]
    )
    assert isinstance(parsed.call, Generate)
    first, second = parsed.call.messages[2].parts
    assert isinstance(first, ToolResult) and isinstance(second, ToolResult)
    assert (first.name, first.response, shown(first.media)) == ("f", '{"output":"ab"}', [("image/png", PNG)])
    assert (second.name, shown(second.media)) == ("", [("", "https://x.de/a")])
    assert parsed.remote and parsed.paths["messages.2.parts.1"] == "messages.3.content"


def test_a_signed_part() -> None:
    mark = {"extra_content": {"google": {"thought_signature": "YQ=="}}}
    parts = assistant(content=[{"type": "text", "text": "a"} | mark, {"type": "image_url", "image_url": PNG} | mark])
    assert [part.signature for part in parts if isinstance(part, (Text, Media))] == [Signature("gemini", "YQ==")] * 2


def test_images_of_an_answer_come_back() -> None:
    image = {"type": "image_url", "index": 0, "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    signed = image | {"extra_content": {"google": {"thought_signature": "YQ=="}}}
    text, first, second = assistant(content="see", images=[image, signed])
    assert text == Text("see") and shown((first, second)) == [("image/png", PNG)] * 2
    assert isinstance(first, Media) and first.signature is None
    assert isinstance(second, Media) and second.signature == Signature("gemini", "YQ==")


def test_escaped_slashes() -> None:
    r"""PHP writes `\/` into JSON."""
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\xff" * 60).decode()
    assert "/" in data
    for url in (f"data:image/png;base64,{data}", data, "https://x.de/a/b"):
        part = {"type": "image_url", "image_url": {"url": url}}
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [part]}]}).replace("/", "\\/")
        call = inbound(body.encode()).call
        assert isinstance(call, Generate)
        assert shown(call.messages[0].parts)[0][1] == (url if url.startswith("http") else data)


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"\\ud800", b"\\x"])
@pytest.mark.parametrize(
    "place",
    [
        b'{"role":"user","content":[{"image_url":"https://x.de/%s"}]}',
        b'{"role":"user","content":[{"image_url":{"url":"%s"}}]}',
        b'{"role":"user","content":[{"file":{"file_data":"data:text/plain,%s"}}]}',
        b'{"role":"user","content":[{"file":{"file_data":"aGk=","mime_type":"%s"}}]}',
        b'{"role":"user","content":[{"inlineData":{"mimeType":"%s","data":"aGk="}}]}',
        b'{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"%s"}}]}',
        b'{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"a":"%s"}}}]}',
    ],
)
def test_bytes_that_are_no_text_are_refused(place: bytes, bad: bytes) -> None:
    """They lie in fields that are not decoded at first."""
    body = b'{"model":"m","messages":[%s]}' % (place % bad)
    for given in (body, memoryview(body)):
        try:
            call = inbound(given).call
        except InvalidRequest:
            continue
        assert isinstance(call, Generate)
        (part,) = call.messages[0].parts
        assert isinstance(part, Media) and isinstance(part.source, Inline)


@pytest.mark.parametrize("bare", [False, True])
def test_base64_stays_a_slice_of_the_request(bare: bool) -> None:
    """Acceptance 26: 40 MB of it cost nothing beside the request."""
    data = b"iVBORw0KGgo" + b"A" * (40 << 20)
    url = data if bare else b"data:image/png;base64," + data
    body = b'{"model":"m","messages":[{"role":"user","content":[{"image_url":{"url":"%s"}}]}]}' % url
    for given in (body, memoryview(body)):
        tracemalloc.start()
        call = inbound(given).call
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5 << 20
        assert isinstance(call, Generate)
        (part,) = call.messages[0].parts
        assert isinstance(part, Media) and isinstance(part.source, Inline)
        view = part.source.data
        assert isinstance(view, memoryview) and len(view) == len(data)
        assert isinstance(view.obj, Raw), "which is a slice of the body itself"
        assert part.mime_type == "image/png"


@pytest.mark.parametrize(
    ("part", "clip"),
    [
        ({"fileData": {"fileUri": "https://x.de/a.mp4"}, "videoMetadata": {"fps": 2}}, {"fps": 2}),
        ({"type": "video_url", "video_url": {"url": "https://x.de/a", "fps": 0.5}}, {"fps": 0.5}),
        (
            {"type": "video_url", "video_url": {"url": "https://x.de/a", "video_metadata": {"start_offset": "5s"}}},
            {"start_offset": "5s"},
        ),
    ],
)
def test_which_stretch_of_a_video_is_meant(part: Json, clip: Json) -> None:
    (media,) = user(part)
    assert isinstance(media, Media) and media.vendor is not None
    assert (media.vendor.format, json.loads(media.vendor.raw)) == ("gemini", {"videoMetadata": clip})
    assert not parse(messages=[{"role": "user", "content": [part]}]).dropped


def test_what_a_part_says_that_is_not_known_is_recorded() -> None:
    text = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}, "volume": 11, "empty": None}
    parsed = parse(messages=[HI, {"role": "user", "content": [text, text | {"volume": 0}]}])
    assert [drop.path for drop in parsed.dropped] == ["messages.1.content.0.volume"]


def test_many_results_of_one_step_are_read_in_linear_time() -> None:
    """Each used to copy those before it: 20,000 took two seconds."""
    results = [{"role": "tool", "tool_call_id": str(number), "content": "x"} for number in range(20_000)]
    began = time.process_time()
    call = call_of(messages=[HI, *results, HI, results[0]])
    assert time.process_time() - began < 1.5
    assert [len(message.parts) for message in call.messages] == [1, 20_000, 1, 1]
