"""Every recorded answer, streamed and not, as a message: the grammar, the official SDK, and nothing lost.

The expectations are read from the raw JSON of the recordings by the bed.
"""

import json
from collections.abc import Sequence

import pytest

from gemgate.errors import UpstreamError
from gemgate.hub.events import Event
from gemgate.protocols.shared.seals import opened
from tests.acceptance.messages_grammar import Json, message_of
from tests.bed.recordings import Recording, conversations, needs_recordings
from tests.protocols.anthropic.replies import comparable, sdk_message, told, whole, writer
from tests.protocols.replaying import FORMS, failure, replies, written
from tests.protocols.test_replay_matrix import STARTS_NOTHING, breaks_off, candidates, is_partial, naming, parts

pytestmark = needs_recordings


@pytest.mark.parametrize("form", FORMS)
def test_messages(form: str) -> None:
    """Acceptance 1, 6, 17 to 20, 22, 24 and 30."""
    for row in conversations():
        with naming(row):
            _check(row, form)


def _check(row: Recording, form: str) -> None:
    batches = replies(row, form)
    given = row.expected
    if breaks_off(row, form):
        assert failure(batches)
        return
    if given.finish_reason in STARTS_NOTHING and not (given.text or given.thoughts or given.calls):
        for write in (told, whole):
            with pytest.raises(UpstreamError, match="UNEXPECTED_TOOL_CALL"):
                write(batches)
        return
    made = whole(batches)
    assert comparable(message_of(told(batches))) == comparable(made)
    _check_sdk(batches, made)
    _check_content(row, made)
    _check_usage(given.usage, made["usage"])


def _check_sdk(batches: Sequence[Sequence[Event]], made: Json) -> None:
    found = sdk_message(written(writer(), batches))
    for key in ("id", "content", "stop_reason"):
        assert found[key] == made[key]


def _check_content(row: Recording, made: Json) -> None:
    content: list[Json] = made["content"]
    found = [part for candidate in candidates(row.payloads())[:1] for part in parts(candidate)]
    shown = "".join(block["text"] for block in content if block["type"] == "text")
    if row.expected.media:
        assert shown.count("](data:") >= len(row.expected.media)
    else:
        assert shown == row.expected.text
    assert "".join(block["thinking"] for block in content if block["type"] == "thinking") == row.expected.thoughts
    calls = [block for block in content if block["type"] == "tool_use"]
    if not is_partial(row):
        given = [part["functionCall"] for part in found if "functionCall" in part]
        assert [(call["name"], call["input"]) for call in calls] == [(c["name"], c.get("args") or {}) for c in given]
    ended = row.expected.finish_reason in ("STOP", 1, None) and not row.expected.block_reason
    assert made["stop_reason"] == ("tool_use" if calls else "end_turn") or not ended
    signed = [p["thoughtSignature"] for p in found if p.get("thoughtSignature") and ("functionCall" in p)]
    seals = [seal for block in content if block["type"] == "thinking" and (seal := opened(block["signature"]))]
    kept = [seal.signature.value for seal in seals if seal.target.startswith("call-") and seal.signature]
    assert kept == signed
    assert {seal.target for seal in seals if seal.target.startswith("call-")} <= {
        f"call-{call['id']}" for call in calls
    }


def _check_usage(given: Json, usage: Json) -> None:
    def number(name: str) -> int:
        return given.get(name) or 0

    read = usage["input_tokens"] + usage["cache_read_input_tokens"]
    assert read == number("promptTokenCount") + number("toolUsePromptTokenCount")
    assert usage["cache_read_input_tokens"] == number("cachedContentTokenCount")
    assert usage["output_tokens"] == number("candidatesTokenCount") + number("thoughtsTokenCount")
    assert usage["output_tokens_details"]["thinking_tokens"] == number("thoughtsTokenCount")


def test_sources_reach_the_client() -> None:
    """Acceptance 22."""
    seen = 0
    for row in conversations():
        for form in FORMS:
            with naming(row):
                seen += _check_sources(row, form)
    assert seen > 50


def _check_sources(row: Recording, form: str) -> int:
    grounding = [
        candidate["groundingMetadata"]
        for payload in row.payloads()
        for candidate in json.loads(payload).get("candidates") or []
        if candidate.get("index", 0) == 0 and candidate.get("groundingMetadata")
    ]
    if not grounding or breaks_off(row, form):
        return 0
    queries = {query for each in grounding for query in each.get("webSearchQueries") or []}
    sources = {
        source["uri"]
        for each in grounding
        for chunk in each.get("groundingChunks") or []
        for source in chunk.values()
        if isinstance(source, dict) and source.get("uri")
    }
    made = whole(replies(row, form))
    cited = {citation["url"] for block in made["content"] for citation in block.get("citations") or []}
    assert cited == sources or not row.expected.text
    assert made["usage"]["server_tool_use"]["web_search_requests"] == len(queries)
    results = [block for block in made["content"] if block["type"] == "web_search_tool_result"]
    assert len(results) == bool(queries)
    if queries:
        assert {source["url"] for source in results[0]["content"]} == sources
    return len(sources)
