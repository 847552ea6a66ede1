"""Media as a model takes them: types that it reads, and how closely it shall look."""

from typing import Any

import pytest
from msgspec import json
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Base64, Detail, Inline, Media, Message, Remote, Text, ToolCall, ToolResult, Uri, Vendor
from gemgate.protocols.gemini.outbound import outbound
from gemgate.protocols.gemini.segments import LARGE_BYTES
from tests.protocols.shaping import NEW, OLD, ask, checked

PER_PART = replace(NEW, detail_per_part=True)
GEMINI_3 = "gemini-3-flash-preview"
YOUTUBE = Uri("https://www.youtube.com/watch?v=x")


def media(mime_type: str = "image/png", detail: Detail | None = None) -> Media:
    return Media(mime_type, Inline("AAAA"), detail=detail)


def user(*parts: Any) -> Message:
    return Message("user", parts)


def test_types_are_put_as_gemini_reads_them() -> None:
    given = [media(kind) for kind in ("image/jpg", "IMAGE/PNG", "text/csv", "application/json", "audio/x-wav")]
    parts = checked(ask(user(*given)))["contents"][0]["parts"]
    kinds = [part["inlineData"]["mimeType"] for part in parts]
    assert kinds == ["image/jpeg", "image/png", "text/plain", "text/plain", "audio/wav"]


def test_addresses_keep_the_type_they_have() -> None:
    part = checked(ask(user(Media("", YOUTUBE))))["contents"][0]["parts"][0]
    assert part == {"fileData": {"fileUri": YOUTUBE.uri}}


@pytest.mark.parametrize("kind", ["image/gif", "", "application/vnd.ms-excel"])
def test_what_gemini_does_not_read_is_refused_where_it_stood(kind: str) -> None:
    first = Message("model", (Text("order"), Text("changes")))
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(first, user(Text("a"), Text(""), media(kind))), OLD)
    assert error.value.param == "messages.1.parts.2" and error.value.code == "unsupported_media"
    call, result = ToolCall("1", "f", "{}"), ToolResult("1", "f", "{}", (media(), media(kind)))
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(user(Text("a")), Message("model", (call,)), user(Text("b"), result)), NEW)
    assert error.value.param == "messages.2.parts.1"


def test_media_that_nobody_brought_in_are_our_own_fault() -> None:
    with pytest.raises(AssertionError):
        outbound(ask(user(Media("image/png", Remote("https://x/y.png")))), OLD)


def resolutions(body: dict[str, Any]) -> list[str | None]:
    return [part.get("mediaResolution", {}).get("level") for part in body["contents"][0]["parts"]]


def test_detail_of_each_part() -> None:
    details: list[Detail] = ["low", "medium", "high", "ultra_high"]
    call = ask(user(media(), *(media(detail=detail) for detail in details), media("application/pdf", "low")))
    body = checked(call, GEMINI_3, PER_PART)
    assert resolutions(body) == [
        None,
        *(f"MEDIA_RESOLUTION_{level}" for level in ("LOW", "MEDIUM", "HIGH", "ULTRA_HIGH", "LOW")),
    ]
    assert "mediaResolution" not in body.get("generationConfig", {})
    assert outbound(call, PER_PART).dropped == ()


@pytest.mark.parametrize(
    ("details", "level", "lost"),
    [
        (["low", "low"], "LOW", []),
        ([None, "medium"], "MEDIUM", []),
        (["low", "high", "medium"], "HIGH", ["media.detail"]),
        (["ultra_high"], "HIGH", ["media.detail"]),
    ],
)
def test_one_detail_for_all_is_the_closest(details: list[Detail | None], level: str, lost: list[str]) -> None:
    call = ask(user(*(media(detail=detail) for detail in details)))
    body = checked(call)
    assert body["generationConfig"] == {"mediaResolution": f"MEDIA_RESOLUTION_{level}"}
    assert resolutions(body) == [None] * len(details)
    assert [drop.path for drop in outbound(call, OLD).dropped] == lost


@pytest.mark.parametrize("abilities", [OLD, PER_PART])
def test_detail_is_for_what_is_looked_at(abilities: Any) -> None:
    body = checked(ask(user(media("audio/wav", "high"), media("text/plain", "high"))), abilities=abilities)
    assert resolutions(body) == [None, None] and "generationConfig" not in body


def test_detail_of_a_video_at_an_address_and_inside_a_result() -> None:
    video = Media("", YOUTUBE, detail="low")
    assert resolutions(checked(ask(user(video)), GEMINI_3, PER_PART)) == ["MEDIA_RESOLUTION_LOW"]
    call, result = ToolCall("1", "f", "{}"), ToolResult("1", "f", "{}", (media(detail="high"),))
    history = (user(Text("a")), Message("model", (call,)), user(result))
    inside = checked(ask(*history), GEMINI_3, PER_PART)["contents"][2]["parts"][0]["functionResponse"]["parts"][0]
    assert inside["mediaResolution"] == {"level": "MEDIA_RESOLUTION_HIGH"}
    assert checked(ask(*history))["generationConfig"] == {"mediaResolution": "MEDIA_RESOLUTION_HIGH"}


def test_what_gemini_itself_was_told_of_a_part_wins() -> None:
    own = Vendor("gemini", '{"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}}')
    call = ask(user(Media("image/png", Inline("AAAA"), vendor=own, detail="high")))
    assert resolutions(checked(call, GEMINI_3, PER_PART)) == ["MEDIA_RESOLUTION_LOW"]


# ── addresses ──


@pytest.mark.parametrize("kind", ["image/gif", "application/vnd.ms-excel", "video/x-matroska"])
def test_a_type_that_gemini_does_not_read_is_refused_at_an_address_too(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=kind) as error:
        outbound(ask(user(Text("a"), Media(kind, Uri("https://x/y")))), OLD)
    assert error.value.param == "messages.0.parts.1" and error.value.code == "unsupported_media"


@pytest.mark.parametrize("kind", ["", "video/*", "application/octet-stream", "text/csv", "video/mp4"])
def test_a_type_that_is_read_or_not_told_stays_as_it_is(kind: str) -> None:
    rendered = outbound(ask(user(Media(kind, Uri("https://x/y")))), OLD)
    file = json.decode(rendered.body[0])["contents"][0]["parts"][0]["fileData"]
    assert file.get("mimeType", "") == kind


# ── base64 ──

LARGE = b"A" * LARGE_BYTES


@pytest.mark.parametrize(
    "data", [memoryview("iVBORw0KGgoé".encode()), memoryview(LARGE + b'"'), memoryview(LARGE + b"\xff")]
)
def test_what_is_no_base64_is_refused_where_it_stood(data: memoryview) -> None:
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(user(Text("a"), Media("image/png", Inline(data)))), OLD)
    assert error.value.param == "messages.0.parts.1"


@pytest.mark.parametrize("data", ["AA-_", "AA+/", "AA==", memoryview(b"AA-_AA+/" * LARGE_BYTES + b"AA==")])
def test_both_kinds_of_base64_are_passed_on(data: Base64) -> None:
    body = json.decode(b"".join(outbound(ask(user(Media("image/png", Inline(data)))), OLD).body))
    sent = body["contents"][0]["parts"][0]["inlineData"]["data"]
    assert sent == (data if isinstance(data, str) else str(data, "ascii"))


# ── the system text ──


def test_media_of_the_system_text_come_before_what_the_user_says_first() -> None:
    """Gemini's system text is text."""
    system = (Text("s"), media("image/jpg"), Text("t"), Media("", YOUTUBE))
    body = checked(ask(user(Text("a")), Message("model", (Text("b"),)), user(Text("c")), system=system))
    assert body["systemInstruction"] == {"parts": [{"text": "s"}, {"text": "t"}]}
    image, video, text = body["contents"][0]["parts"]
    assert image["inlineData"]["mimeType"] == "image/jpeg" and video["fileData"] and text == {"text": "a"}
    assert len(body["contents"]) == 3


def test_media_of_the_system_text_alone_are_a_question() -> None:
    body = checked(ask(Message("user", ()), system=(Text("s"), media(detail="low"))))
    assert len(body["contents"]) == 1 and "inlineData" in body["contents"][0]["parts"][0]
    assert body["systemInstruction"] == {"parts": [{"text": "s"}]}
    assert body["generationConfig"] == {"mediaResolution": "MEDIA_RESOLUTION_LOW"}


def test_media_of_the_system_text_do_not_make_results_the_users_word() -> None:
    """The current turn begins where the user speaks; its calls need a signature."""
    call, result = ToolCall("1", "f", "{}"), ToolResult("1", "f", "{}")
    body = checked(ask(Message("model", (call,)), user(result), system=(media(),)), GEMINI_3)
    assert [sorted(part) for content in body["contents"] for part in content["parts"]] == [
        ["inlineData"],
        ["functionCall", "thoughtSignature"],
        ["functionResponse"],
    ]


def test_media_of_the_system_text_are_checked() -> None:
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(system=(Text("s"), media("image/gif"))), OLD)
    assert error.value.param == "system.1"
