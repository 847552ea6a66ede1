"""Every recorded answer, streamed and not, as a response: the grammar, the official SDK, and nothing lost.

The expectations are read from the raw JSON of the recordings by the bed.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from gemgate.errors import UpstreamError
from gemgate.hub.events import Event
from gemgate.hub.fold import fold
from gemgate.protocols.openai_responses.style import Style
from gemgate.protocols.shared.seals import opened
from tests.acceptance.responses_grammar import Json, response_of
from tests.bed.recordings import Recording, conversations, needs_recordings
from tests.protocols.openai_responses.replies import sdk_response, told, whole, writer
from tests.protocols.replaying import FORMS, events, failure, replies
from tests.protocols.test_replay_matrix import STARTS_NOTHING, breaks_off, candidates, is_partial, naming, parts

pytestmark = needs_recordings

STATUSES = {"MAX_TOKENS": "max_output_tokens", "SAFETY": "content_filter"}
STORED = Style(stored=True, keeps_parts=True)


@pytest.mark.parametrize("form", FORMS)
def test_responses(form: str) -> None:
    """Acceptance 1, 5, 17 to 22, 24 and 30."""
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
    streamed = told(batches)
    assert response_of(streamed) == made
    if form == "stream":
        assert sdk_response(streamed)["output"] == made["output"]  # strict, event by event
    _check_output(row, made["output"])
    _check_usage(given.usage, made["usage"])
    _check_parts(batches)
    reason = (made["incomplete_details"] or {}).get("reason")
    blocked = given.block_reason and given.finish_reason is None
    assert reason == ("content_filter" if blocked else STATUSES.get(str(given.finish_reason)))


def _check_output(row: Recording, items: list[Json]) -> None:
    assert len({item["id"] for item in items}) == len(items)
    found = [part for candidate in candidates(row.payloads())[:1] for part in parts(candidate)]
    shown = "".join(part["text"] for item in items if item["type"] == "message" for part in item["content"])
    assert shown == row.expected.text
    thoughts = "".join(part["text"] for item in items if item["type"] == "reasoning" for part in item["summary"])
    assert thoughts == row.expected.thoughts
    images = [item["result"] for item in items if item["type"] == "image_generation_call"]
    drawn = [
        image["url"].partition(",")[2]
        for item in items
        if item["type"] == "code_interpreter_call"
        for image in item["outputs"] or ()
        if image["type"] == "image"
    ]
    carried = [part["inlineData"]["data"] for part in found if "inlineData" in part and not part.get("thought")]
    assert sorted(images + drawn) == sorted(carried)
    if is_partial(row):
        return
    calls = [item for item in items if item["type"] == "function_call"]
    made = [part["functionCall"] for part in found if "functionCall" in part]
    assert [(item["name"], json.loads(item["arguments"])) for item in calls] == [
        (call["name"], call.get("args", {})) for call in made
    ]
    assert all(item["call_id"] == (call.get("id") or item["call_id"]) for item, call in zip(calls, made, strict=True))
    code = [item["code"] for item in items if item["type"] == "code_interpreter_call" and item["code"]]
    assert code == [part["executableCode"]["code"] for part in found if "executableCode" in part]
    _check_seals(found, items)


SEALED = {"functionCall", "executableCode"}


def _check_seals(found: list[Json], items: list[Json]) -> None:
    """Each signature of a call, code or thought is in its slot, and named for it."""
    given = sorted(
        part["thoughtSignature"]
        for part in found
        if part.get("thoughtSignature") and (part.get("thought") or SEALED & part.keys())
    )
    seals = [opened(item["encrypted_content"]) for item in items if "encrypted_content" in item]
    assert sorted(seal.signature.value for seal in seals if seal and seal.signature) == given
    calls = {f"call-{item['call_id']}" for item in items if item["type"] == "function_call"}
    named = {seal.target for seal in seals if seal and seal.target.startswith("call-")}
    assert named <= calls


def _check_usage(given: Json, usage: Json) -> None:
    """Acceptance 30: results of tools are input, thoughts are output."""

    def number(name: str) -> int:
        return given.get(name) or 0

    assert usage["input_tokens"] == number("promptTokenCount") + number("toolUsePromptTokenCount")
    assert usage["output_tokens"] == number("candidatesTokenCount") + number("thoughtsTokenCount")
    assert usage["input_tokens_details"]["cached_tokens"] == number("cachedContentTokenCount")
    assert usage["output_tokens_details"]["reasoning_tokens"] == number("thoughtsTokenCount")
    total = number("totalTokenCount")
    assert usage["total_tokens"] == (total or usage["input_tokens"] + usage["output_tokens"])


def _check_parts(batches: Sequence[Sequence[Event]]) -> None:
    """What is kept of an answer is all of it, in order, each part with its own signature."""
    made = writer(STORED)
    made.whole(events(batches))
    assert made.finished is not None
    if made.finished.output:
        kept = [part for item in made.finished.output for part in item.parts or ()]
        assert kept == list(fold(events(batches)).choices[0].parts)


def test_both_forms_say_the_same() -> None:
    """Acceptance 19: a reply read as a stream equals the same reply read as one body."""
    for row in conversations():
        with naming(row):
            if breaks_off(row, "stream") or row.finish_reason in STARTS_NOTHING:
                continue
            streamed, read = (whole(replies(row, form)) for form in FORMS)
            assert _comparable(streamed) == _comparable(read)


def _comparable(response: Json) -> Json:
    for item in response["output"]:
        if item["type"] == "function_call":
            item["arguments"] = json.loads(item["arguments"])
        if item["type"] == "message":
            for part in item["content"]:
                part["annotations"] = sorted(part["annotations"], key=str)
        _without_ids(item)
    return response


def _without_ids(item: Any) -> None:
    item.pop("id")
