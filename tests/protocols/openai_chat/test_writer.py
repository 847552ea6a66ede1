"""Events → chat completions: the grammar, and what has no slot."""

import base64
import json

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gemgate.errors import BrokenAnswer, RateLimited, Unavailable, UpstreamError
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Event,
    Failure,
    Finish,
    FinishReason,
    ResponseStart,
    Usage,
)
from gemgate.hub.parts import Code, Inline, Media, Opaque, Signature, Text, Thought, ToolCall, Uri, Vendor
from gemgate.protocols.openai_chat.writer import ChatWriter
from tests.protocols.replaying import (
    Json,
    accumulated,
    chat_stream,
    chat_whole,
    chunk,
    comparable,
    document,
    events,
    identity,
    read,
)

MARK = Signature("gemini", "YQ==")


def reply(*made: Event, reason: FinishReason = "stop", message: str = "") -> list[list[Event]]:
    return [[ResponseStart("", "")], list(made), [Usage(), Finish(0, reason, "WHY", message)]]


def both(batches: list[list[Event]]) -> Json:
    """The message, streamed and whole alike."""
    for usage in (True, False):
        chunks = chat_stream(batches, usage=usage)
        for item in chunks:
            ChatCompletionChunk.model_validate(item)
    streamed, whole = accumulated(chat_stream(batches)), chat_whole(batches)
    ChatCompletion.model_validate(whole)
    assert comparable(streamed) == comparable(whole)
    return whole["choices"][0]


def test_a_call_in_pieces() -> None:
    """Acceptance 19: arguments that come by and by, a signature that comes late."""
    choice = both(
        reply(
            BlockStart(0, ToolCall("c", "f", "")),
            BlockDelta(0, '{"a":'),
            BlockDelta(0, "1}"),
            BlockEnd(0, MARK),
            reason="tool_calls",
        )
    )
    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "f", "arguments": '{"a":1}'} and choice["finish_reason"] == "tool_calls"
    assert call["extra_content"] == {"google": {"thought_signature": "YQ=="}}
    assert choice["message"]["content"] is None


def test_parallel_calls_without_ids() -> None:
    """Acceptance 2, 3 and notes §6.2: one counter, one id each, and no vendor data in it."""
    call = {"functionCall": {"name": "f", "args": {}}}
    batches = read(
        [
            chunk({"text": "so"}),
            chunk(call, call),
            chunk(call | {"thoughtSignature": "YQ=="}),
            chunk(finishReason="STOP"),
        ]
    )
    calls = both(batches)["message"]["tool_calls"]
    assert [each["id"] for each in calls] == ["call_id1", "call_id2", "call_id3"]
    deltas = [
        piece for item in chat_stream(batches) for c in item["choices"] for piece in c["delta"].get("tool_calls", [])
    ]
    assert [piece["index"] for piece in deltas] == [0, 1, 2]


def test_a_signature_on_text() -> None:
    """Acceptance 1 and 4: on the text, and on an empty one at the end."""
    for parts in (
        ({"text": "a", "thoughtSignature": "YQ=="},),
        ({"text": "a"}, {"text": "", "thoughtSignature": "YQ=="}),
    ):
        extra = both(read([document(*parts)]))["message"]["extra_content"]
        assert extra["google"] == {"thought_signature": "YQ=="}
        assert ("gemgate" in extra) == (len(parts) > 1), "only where Google's one slot does not tell all"
    late = reply(BlockStart(0, Text("a")), BlockEnd(0, MARK))
    assert both(late)["message"]["extra_content"] == {"google": {"thought_signature": "YQ=="}}


def test_a_signature_on_a_thought_is_not_moved_to_the_text() -> None:
    """Notes §5.1 rule 7."""
    batches = reply(BlockStart(0, Thought("t", MARK)), BlockEnd(0), BlockStart(0, Text("a")), BlockEnd(0))
    assert "extra_content" not in both(batches)["message"]


def test_images_files_and_drafts() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "YQ=="}, "thoughtSignature": "Yg=="}
    choice = both(read([document({"text": "see"}, image, {"text": "!"}, image | {"thought": True})]))
    assert choice["message"]["content"] == "see\n![image](data:image/png;base64,YQ==)\n!"
    assert choice["message"]["extra_content"] == {
        "google": {"thought_signature": "Yg=="},
        "gemgate": {"signatures": [{"start": 3, "end": 41}]},
    }
    link = reply(BlockStart(0, Media("application/pdf", Uri("https://x/a"))), BlockEnd(0))
    assert both(link)["message"]["content"] == "[application](https://x/a)\n"


def test_code_in_fences() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "print('```')"}}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "oops"}}
    content = both(read([document(code, result)]))["message"]["content"]
    assert content == "````python\nprint('```')\n````\n\n```output\n[failed]\noops\n```\n"
    pieces = reply(BlockStart(0, Code("", "python", "1")), BlockDelta(0, "+1"), BlockEnd(0))
    assert both(pieces)["message"]["content"] == "```python\n1+1\n```\n"


def test_sound() -> None:
    sound = {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "YWI="}}
    audio = both(read([document(sound)]))["message"]["audio"]
    assert audio == {"id": "audio_id1", "data": "YWI=", "expires_at": 0, "transcript": ""}


def test_sound_in_pieces_is_whole_in_the_end() -> None:
    sounds = [chunk({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": data}}) for data in ("YWI=", "Y2Q=")]
    message = chat_whole(read([*sounds, chunk(finishReason="STOP")]))["choices"][0]["message"]
    assert base64.b64decode(message["audio"]["data"]) == b"abcd"


@pytest.mark.parametrize(
    "payload", [b'{"promptFeedback":{"blockReason":"SAFETY"}}', document(finishReason="SAFETY", content=None)]
)
def test_blocked_is_a_refusal(payload: bytes) -> None:
    """Acceptance 24: content_filter with the reason, never an empty `stop`."""
    choice = both(read([payload]))
    assert choice["finish_reason"] == "content_filter" and "SAFETY" in choice["message"]["refusal"]
    assert not choice["message"]["content"]


def test_broken_off_with_nothing_said_is_an_error() -> None:
    """Acceptance 16: never `stop` with nothing."""
    batches = reply(reason="malformed", message="It went wrong.")
    for write in (chat_stream, chat_whole):
        with pytest.raises(BrokenAnswer, match=r"WHY.*It went wrong"):
            write(batches)
    said = reply(BlockStart(0, Text("a")), BlockEnd(0), reason="malformed")
    assert both(said)["finish_reason"] == "stop"


def test_an_empty_stop_stays_one() -> None:
    choice = both(read([document(content=None)]))
    assert choice["finish_reason"] == "stop" and not choice["message"]["content"] and not choice["message"]["refusal"]


ENDS = {
    **dict.fromkeys(("STOP",), ("stop", "tool_calls", "stop")),
    **dict.fromkeys(("MAX_TOKENS", "CONTINUATION"), ("length", "length", "length")),
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"),
            *("IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR", "ESCALATION"),
        ),
        ("content_filter",) * 3,
    ),
    **dict.fromkeys(
        ("OTHER", "IMAGE_OTHER", "NO_IMAGE", "FINISH_REASON_UNSPECIFIED", "SOMETHING_NEW"),
        ("stop", "tool_calls", "content_filter"),
    ),
    **dict.fromkeys(
        (
            *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"),
            "MISSING_THOUGHT_SIGNATURE",
        ),
        ("stop", "tool_calls", None),
    ),
}
"""Gemini's reason → the reason after a text, after a call, after nothing; `None` is an error (notes §6.2)."""


@pytest.mark.parametrize(("given", "wanted"), ENDS.items())
def test_ends(given: str, wanted: tuple[str, str, str | None]) -> None:
    """Acceptance 16, 18 and 24."""
    call = {"functionCall": {"name": "f", "args": {}}}
    for parts, reason in (([{"text": "a"}], wanted[0]), ([call], wanted[1]), ([], wanted[2])):
        batches = read([chunk(*parts), chunk(finishReason=given, finishMessage="It went so.")])
        if reason is None:
            for write in (chat_stream, chat_whole):
                with pytest.raises(BrokenAnswer, match=given):
                    write(batches)
            continue
        choice = both(batches)
        assert choice["finish_reason"] == reason
        # Also where something was said before: people shall know why it ends there.
        assert choice["message"]["refusal"] == ("It went so." if reason == "content_filter" else None)


def test_an_unknown_end() -> None:
    assert both(reply(reason="other"))["finish_reason"] == "content_filter"
    assert both(reply(BlockStart(0, Text("a")), BlockEnd(0), reason="other"))["finish_reason"] == "stop"
    assert both(reply(BlockStart(0, Text("a")), BlockEnd(0), reason="length"))["finish_reason"] == "length"


def test_two_choices() -> None:
    body = {
        "candidates": [json.loads(document({"text": word}, index=n))["candidates"][0] for n, word in enumerate("ab")]
    }
    batches = read([json.dumps(body).encode()])
    both(batches)
    assert [choice["message"]["content"] for choice in chat_whole(batches)["choices"]] == ["a", "b"]


def test_what_no_slot_exists_for_is_left_out() -> None:
    opaque = reply(
        BlockStart(0, Opaque(Vendor("gemini", '{"toolCall":{}}'))), BlockEnd(0), BlockStart(0, Text("a")), BlockEnd(0)
    )
    assert both(opaque)["message"]["content"] == "a"


def test_a_failure_in_mid_stream() -> None:
    writer = ChatWriter(identity())
    sent = writer.stream([ResponseStart("", ""), BlockStart(0, Text("a"))])
    error = RateLimited("Slow down.", retry_after_seconds=1.5)
    with pytest.raises(RateLimited):
        writer.stream([Failure(error)])
    assert sent.endswith(b"\n\n") and b'"content":"a"' in sent
    line = writer.failure(error)
    assert line.startswith(b"data: ") and line.endswith(b"\n\n")
    found = json.loads(line[6:])["error"]
    assert set(found) == {"message", "type", "param", "code"} and found["code"] == "rate_limit_exceeded"
    with pytest.raises(Unavailable):
        ChatWriter(identity()).whole([ResponseStart("", ""), Failure(Unavailable("x"))])


def test_the_answer_is_called_as_upstream_called_it_if_that_is_safe() -> None:
    for given, wanted in (
        ("abc_D-1", "chatcmpl-abc_D-1"),
        ("a b", "chatcmpl-r0"),
        ("x" * 60, "chatcmpl-r0"),
        ("", "chatcmpl-r0"),
    ):
        batches = read(
            [document({"text": "a"}, finishReason="STOP").replace(b"{", f'{{"responseId":"{given}",'.encode(), 1)]
        )
        assert chat_whole(batches)["id"] == chat_stream(batches)[0]["id"] == wanted


def test_tokens() -> None:
    """Acceptance 30: cached is a part of the prompt; each modality where there is a slot."""
    usage = {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 4,
        "toolUsePromptTokenCount": 3,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 7,
        "totalTokenCount": 25,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}, {"modality": "AUDIO", "tokenCount": 2}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 5}],
        "serviceTier": "FLEX",
    }
    body = document({"text": "a"}).replace(b"{", b'{"usageMetadata":' + json.dumps(usage).encode() + b",", 1)
    whole = chat_whole(read([body]))
    assert whole["usage"] == {
        "prompt_tokens": 13,
        "completion_tokens": 12,
        "total_tokens": 25,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 7, "image_tokens": 5},
    }
    assert whole["service_tier"] == "flex"
    assert events(read([body]))


def test_thoughts_alone_are_no_answer() -> None:
    thought: tuple[Event, ...] = (BlockStart(0, Thought("hm")), BlockDelta(0, "m"), BlockEnd(0))
    for write in (chat_stream, chat_whole):
        with pytest.raises(UpstreamError, match="WHY"):
            write(reply(*thought, reason="malformed"))
    choice = both(reply(*thought, reason="content_filter", message="Blocked: SAFETY."))
    assert choice["finish_reason"] == "content_filter" and "SAFETY" in choice["message"]["refusal"]
    assert choice["message"]["reasoning_content"] == "hmm"
    called = (*thought, BlockStart(0, ToolCall("c", "f", "{}")), BlockEnd(0))
    assert both(reply(*called, reason="malformed"))["message"]["tool_calls"]


def test_sound_that_is_no_base64_is_the_upstreams_fault() -> None:
    pieces = [BlockStart(0, Media("audio/L16;rate=24000", Inline(data))) for data in ("YWI=", "Y")]
    with pytest.raises(UpstreamError, match="base64"):
        chat_whole(reply(pieces[0], BlockEnd(0), pieces[1], BlockEnd(0)))
