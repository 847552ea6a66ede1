"""Every recorded answer, streamed and not, through each writer.

The expectations are read from the raw JSON of the recordings by the bed and by tables of this file alone.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest
from google.genai import models as genai_models
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gemgate.errors import UpstreamError
from gemgate.hub.parts import Media, Text, ToolCall
from gemgate.protocols.gemini.writer import Framing
from tests.bed.recordings import Recording, conversations, expected, needs_recordings
from tests.bed.replay import fold
from tests.protocols.replaying import (
    FORMS,
    Json,
    accumulated,
    chat_stream,
    chat_whole,
    comparable,
    events,
    failure,
    gemini_stream,
    gemini_whole,
    kept_parts,
    payloads,
    replies,
)

pytestmark = needs_recordings

each_form = pytest.mark.parametrize("form", FORMS)

STARTS_NOTHING = {"UNEXPECTED_TOOL_CALL"}
"""Reasons of this set that come with nothing said are an error in Chat, not an end (notes §6.2)."""

NUMBERED = {1: "STOP"}
CHAT_REASONS = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"}


def is_partial(row: Recording) -> bool:
    """Whether calls came in pieces, which no raw count of parts can foretell."""
    return any(b"partialArgs" in payload for payload in row.payloads())


def breaks_off(row: Recording, form: str) -> bool:
    return form == "stream" and row.finish_reason is None and row.expected.block_reason is None


def candidates(given: Sequence[bytes]) -> list[Json]:
    return fold(given).get("candidates") or []


def parts(candidate: Json) -> list[Json]:
    return (candidate.get("content") or {}).get("parts") or []


def normalised(candidate: Json) -> Json:
    """One candidate without what may change: unsigned empty texts, the cut of plain ones, and defaults."""
    made: list[Json] = []
    for part in parts(candidate):
        part = {key: value for key, value in part.items() if not (key == "thought" and value is False)}
        call = part.get("functionCall")
        if call is not None:
            part["functionCall"] = {key: value for key, value in call.items() if not (key == "args" and value == {})}
        if part in ({"text": ""}, {"text": "", "thought": True}):
            continue
        plain = set(part) <= {"text", "thought"}
        if made and plain and set(made[-1]) == set(part):
            made[-1] = {**made[-1], "text": made[-1]["text"] + part["text"]}
        else:
            made.append(part)
    rest = {key: value for key, value in candidate.items() if key != "content" and value not in (None, "")}
    reason = rest.get("finishReason")
    if isinstance(reason, int):
        rest["finishReason"] = NUMBERED[reason]
    return {"index": 0} | rest | {"parts": made}


def sdk_reads(payload: bytes) -> GenerateContentResponse:
    """Read a payload as Google's own SDK does; raises on what it does not know."""
    translate: Any = genai_models._GenerateContentResponse_from_mldev
    return GenerateContentResponse._from_response(response=translate(json.loads(payload), None, {}), kwargs={})


def nonzero(usage: Json) -> Json:
    made: Json = {}
    for key, value in usage.items():
        if isinstance(value, list):
            value = [{"tokenCount": 0} | item for item in value]
        if value:
            made[key] = value
    return made


@contextmanager
def naming(row: Recording) -> Iterator[None]:
    """Say which recording it was; a test item for each of them would cost a hundred times the check."""
    try:
        yield
    except Exception as error:
        error.add_note(f"recording {row.id}")
        raise


@each_form
def test_chat(form: str) -> None:
    """Acceptance 1, 5, 17, 18, 19, 24 and 30: everything that a reply says, in each form, and both forms alike."""
    for row in conversations():
        with naming(row):
            _check_chat(row, form)


def _check_chat(row: Recording, form: str) -> None:
    batches = replies(row, form)
    given = row.expected
    if breaks_off(row, form):
        assert failure(batches)
        return
    if given.finish_reason in STARTS_NOTHING and not (given.text or given.thoughts or given.calls):
        for write in (chat_stream, chat_whole):
            with pytest.raises(UpstreamError, match="UNEXPECTED_TOOL_CALL"):
                write(batches)
        return
    chunks = chat_stream(batches)
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)
    streamed, whole = accumulated(chunks), chat_whole(batches)
    ChatCompletion.model_validate(whole)
    assert comparable(streamed) == comparable(whole)
    assert [choice["index"] for choice in whole["choices"]] == list(range(max(1, len(candidates(row.payloads())))))
    _check_choice(row, whole["choices"][0])
    _check_usage(given.usage, whole["usage"])
    for completion in (streamed, whole):
        _check_signatures(row, completion["choices"][0]["message"])
    assert streamed["model"] == "the-model"
    assert whole["id"] == f"chatcmpl-{given.response_id or 'r0'}" or not re.fullmatch(r"[\w-]{1,31}", given.response_id)


def _check_choice(row: Recording, choice: Json) -> None:
    given, message = row.expected, choice["message"]
    content = message["content"] or ""
    found = [part for candidate in candidates(row.payloads())[:1] for part in parts(candidate)]
    _check_content(found, content, given.text)
    assert (message.get("reasoning_content") or "") == given.thoughts
    calls: list[Json] = message.get("tool_calls") or []
    assert len({call["id"] for call in calls}) == len(calls)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", call["id"]) for call in calls), (
        "acceptance 2 and 3: short plain ids"
    )
    if not is_partial(row):
        _check_calls(found, calls)
    assert choice["finish_reason"] == _reason(row, bool(calls))
    if choice["finish_reason"] == "content_filter" and not content:
        assert message["refusal"]


def _check_content(found: list[Json], content: str, text: str) -> None:
    shown = [part for part in found if part.keys() & {"executableCode", "codeExecutionResult", "inlineData"}]
    if not shown:
        assert content == text
        return
    position = 0
    for part in found:
        if part.get("thought"):
            continue
        words = (
            part["text"]
            if "text" in part
            else f"```python\n{part['executableCode']['code']}"
            if "executableCode" in part
            else part["codeExecutionResult"].get("output", "")
            if "codeExecutionResult" in part
            else f"](data:{part['inlineData']['mimeType']};base64,{part['inlineData']['data']})"
            if "inlineData" in part
            else ""
        )
        at = content.find(words, position)
        assert at >= 0, f"{words[:80]!r} is missing or out of order"
        position = at + len(words)
    assert content.count("```") % 2 == 0


def _check_calls(found: list[Json], calls: list[Json]) -> None:
    made = [part for part in found if "functionCall" in part]
    assert [call["function"]["name"] for call in calls] == [part["functionCall"]["name"] for part in made]
    arguments = [json.loads(call["function"]["arguments"]) for call in calls]
    assert arguments == [part["functionCall"].get("args", {}) for part in made]
    for part, call in zip(made, calls, strict=True):
        assert call["type"] == "function" and call["id"] == (part["functionCall"].get("id") or call["id"])
        mark = part.get("thoughtSignature")
        assert call.get("extra_content") == ({"google": {"thought_signature": mark}} if mark else None)


CUT = re.compile(r"TRUNCATED-BASE64[^)]*")
SLOTS = {"text": Text, "functionCall": ToolCall, "inlineData": Media}
"""Parts that a client of this format keeps; what is beside them there has no slot, and is left to the recall."""


def _check_signatures(row: Recording, message: Json) -> None:
    """Acceptance 1, 4 and 5: what a client keeps brings each signature back on the part that it came with."""
    if is_partial(row):
        return
    given = [
        (kind, part["thoughtSignature"], part.get("text", ""))
        for candidate in candidates(row.payloads())[:1]
        for part in parts(candidate)
        for kind in SLOTS.keys() & part.keys()
        if part.get("thoughtSignature") and not part.get("thought")
    ]
    # Whoever recorded an image has cut its base64; anything of the same length will do.
    content = CUT.sub(lambda cut: "iVBORw0KGgo".ljust(len(cut[0]), "A"), message["content"] or "")
    back = kept_parts(message | {"content": content})
    kept = [part for part in back if isinstance(part, (Text, ToolCall, Media)) and part.signature]
    found = [(type(part), part.signature.value if part.signature else "") for part in kept]
    assert sorted(found, key=str) == sorted(((SLOTS[kind], mark) for kind, mark, _ in given), key=str)
    texts = [text for kind, _, text in given if kind == "text"]
    for part, text in zip((part for part in kept if isinstance(part, Text)), texts, strict=True):
        assert text.endswith(part.text), "in a stream the signed part is the last piece of a text"


def _reason(row: Recording, called: bool) -> str:
    """Notes §6.2: a turn that calls functions ends with STOP upstream and with tool_calls here."""
    given = row.expected
    if given.block_reason and given.finish_reason is None:
        return "content_filter"
    reason = NUMBERED.get(given.finish_reason, "?") if isinstance(given.finish_reason, int) else given.finish_reason
    return "tool_calls" if called and reason == "STOP" else CHAT_REASONS[reason or "STOP"]


def _check_usage(given: Json, usage: Json) -> None:
    """Acceptance 30: prompt with results of tools, completion with thoughts, cached as a part of the prompt."""

    def number(name: str) -> int:
        return given.get(name) or 0

    assert usage["prompt_tokens"] == number("promptTokenCount") + number("toolUsePromptTokenCount")
    assert usage["completion_tokens"] == number("candidatesTokenCount") + number("thoughtsTokenCount")
    assert usage["total_tokens"] == number("totalTokenCount")
    assert usage["prompt_tokens_details"]["cached_tokens"] == number("cachedContentTokenCount")
    assert usage["completion_tokens_details"]["reasoning_tokens"] == number("thoughtsTokenCount")


@pytest.mark.parametrize("framing", ["sse", "array", "whole"])
@each_form
def test_gemini(form: str, framing: str) -> None:
    """Acceptance 1, 4, 5 and 22: each part with its own signature, in its place, and all that stands beside them."""
    for row in conversations():
        with naming(row):
            _check_gemini(row, form, framing)


def _check_gemini(row: Recording, form: str, framing: str) -> None:
    batches = replies(row, form)
    if breaks_off(row, form):
        assert failure(batches)
        return
    back = [gemini_whole(batches)] if framing == "whole" else gemini_stream(batches, cast("Framing", framing))
    if "finish:1" not in row.tags:  # whoever asks for numbered enums is no SDK
        for payload in back:
            sdk_reads(re.sub(rb'"(TRUNCATED-BASE64[^"]*|thought_abc123)"', b'"AAAA"', payload))
    given, found = fold(payloads(row, form)), fold(back)
    before, after = given.get("candidates") or [], found.get("candidates") or []
    if row.finish_reason is None and row.expected.block_reason is None:
        before = [{"finishReason": "STOP"} | candidate for candidate in before]
    if is_partial(row):
        assert [part for part in parts(after[0]) if "partialArgs" in str(part)] == []
        assert expected(back).signatures == row.expected.signatures
    else:
        assert [normalised(candidate) for candidate in after] == [normalised(candidate) for candidate in before]
    assert nonzero(found.get("usageMetadata") or {}) == nonzero(given.get("usageMetadata") or {})
    for key in ("modelVersion", "responseId", "createTime", "promptFeedback"):
        default = {"modelVersion": "the-model", "responseId": "r0"}.get(key)
        assert found.get(key) == (given.get(key) or default)


def test_both_forms_say_the_same() -> None:
    """Acceptance 19: a reply read as a stream equals the same reply read as one body."""
    for row in conversations():
        with naming(row):
            _check_both(row)


def _check_both(row: Recording) -> None:
    if breaks_off(row, "stream") or row.finish_reason in STARTS_NOTHING:
        return
    streamed, whole = (chat_whole(replies(row, form)) for form in FORMS)
    for completion in (streamed, whole):
        for choice in completion["choices"]:
            # Sources of several chunks become one list when they are folded.
            choice["message"].pop("annotations", None)
            # Where a signed part begins depends on where the stream was cut.
            choice["message"].get("extra_content", {}).pop("gemgate", None)
            for call in choice["message"].get("tool_calls") or []:
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    assert streamed == whole


def test_the_matrix_is_complete() -> None:
    kinds: set[str] = set()
    for row in conversations():
        for candidate in candidates(row.payloads()):
            kinds |= {f"{key}{'+' if 'thoughtSignature' in part else ''}" for part in parts(candidate) for key in part}
    signed = {"text", "functionCall", "inlineData", "executableCode", "toolCall", "toolResponse"}
    assert kinds >= {f"{kind}+" for kind in signed} | {"codeExecutionResult"}
    assert len(conversations()) > 1000


def test_citations_reach_the_client() -> None:
    """Acceptance 22: sources are not lost when streaming; offsets are characters of the content."""
    grounded = [row for row in conversations() if any(b"groundingSupports" in payload for payload in row.payloads())]
    assert grounded
    for row in grounded:
        for form in FORMS:
            batches = replies(row, form)
            message = chat_whole(batches)["choices"][0]["message"]
            found: list[Any] = message.get("annotations") or []
            supports = [
                (support, candidate["groundingMetadata"]["groundingChunks"])
                for payload in payloads(row, form)
                for candidate in json.loads(payload).get("candidates") or []
                for support in (candidate.get("groundingMetadata") or {}).get("groundingSupports") or []
            ]
            cited = {item["url_citation"]["url"] for item in found}
            texts = {
                (message["content"])[item["url_citation"]["start_index"] : item["url_citation"]["end_index"]]
                for item in found
            }
            for support, sources in supports:
                for index in support.get("groundingChunkIndices") or []:
                    source = next(iter(sources[index].values()))
                    assert not source.get("uri") or source["uri"] in cited
                words = support["segment"].get("text")
                if words and support.get("groundingChunkIndices") and words in message["content"]:
                    uris = [next(iter(sources[i].values())).get("uri") for i in support["groundingChunkIndices"]]
                    assert words in texts or not any(uris), (row.id, words, texts)
            assert events(batches)
