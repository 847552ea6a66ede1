"""Every recording of Gemini as a Messages client saw it, held against the rows."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.acceptance.messages_grammar import check, events_of, message_of
from tests.acceptance.messages_playing import (
    citations,
    comparable,
    counts,
    wanted_counts,
)
from tests.bed.recordings import Recording, conversations, needs_recordings
from tests.bed.replay import recorded
from tests.bed.wire import Connection
from tests.e2e.bed import Answered, Bed, running_bed
from tests.e2e.messages_reading import (
    MESSAGES,
    PATH,
    SEARCHES,
    THINKS,
    VERSION,
    Event,
    Json,
    of_kind,
    text_of,
)


@dataclass(frozen=True)
class Played:
    """A recording in both forms; `None` where the client was told of an error."""

    row: Recording
    events: list[Event] | None
    whole: Json | None

    @property
    def messages(self) -> list[Json]:
        made = [message_of(self.events)] if self.events is not None else []
        return made + ([self.whole] if self.whole is not None else [])


@pytest.fixture(scope="module")
def played() -> tuple[Played, ...]:
    with running_bed() as bed:
        return asyncio.run(_play_all(bed))


async def _play_all(bed: Bed) -> tuple[Played, ...]:
    made: list[Played] = []
    async with await Connection.open(bed.url, 15) as connection:
        for row in conversations():
            bed.up.always = recorded(row, pieces=3)
            streamed = await _asked(connection, bed, stream=True)
            whole = await _asked(connection, bed, stream=False)
            bed.up.requests.clear()
            events = events_of(streamed.body) if streamed.status == 200 else None
            broken = events is not None and events[-1][0] == "error"
            made.append(Played(row, None if broken else events, whole.json if whole.status == 200 else None))
    return tuple(made)


async def _asked(connection: Connection, bed: Bed, *, stream: bool) -> Answered:
    body = MESSAGES | THINKS | SEARCHES | {"stream": stream}
    reply = await connection.request("POST", PATH, bed.headers(VERSION), body)
    return Answered(reply, await reply.body())


@pytest.mark.acceptance(20)
@needs_recordings
def test_the_grammar_of_all_recordings(played: tuple[Played, ...]) -> None:
    good = [each for each in played if each.events is not None]
    assert {each.row.id: faults for each in good if (faults := check(each.events or []))} == {}
    assert len(good) > 1_000 and len(good) > 0.99 * len(played)


@pytest.mark.acceptance(20, 21)
@needs_recordings
def test_the_official_models_take_all_recordings(played: tuple[Played, ...]) -> None:
    """In strict mode: what they do not know is allowed, wrong types and missing members are not."""
    events: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for each in played:
        try:
            for name, data in each.events or ():
                if name != "ping":
                    events.validate_json(json.dumps(data), strict=True)
            for made in each.messages:
                Message.model_validate_json(json.dumps(made), strict=True)
        except ValueError as wrong:
            wrong.add_note(f"recording {each.row.id}")
            raise


@pytest.mark.acceptance(19)
@needs_recordings
def test_both_forms_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        if each.events is None or each.whole is None:
            continue
        streamed, whole = each.messages
        assert comparable(streamed) == comparable(whole), each.row.id
        inputs = [block["input"] for block in of_kind(whole, "tool_use")]
        if not any("partialArgs" in one for one in each.row.expected.calls):
            assert inputs == [one.get("args") or {} for one in each.row.expected.calls], each.row.id
        seen += len(inputs)
    assert seen > 200


@pytest.mark.acceptance(6)
@needs_recordings
def test_text_and_thoughts_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        says = each.row.expected
        for made in each.messages:
            thinking = of_kind(made, "thinking")
            assert all(block["signature"] for block in thinking), each.row.id
            assert "".join(block["thinking"] for block in thinking) == says.thoughts, each.row.id
            seen += bool(says.thoughts)
            if not says.media:
                assert text_of(made) == says.text, each.row.id
    assert seen > 50


@pytest.mark.acceptance(17, 18)
@needs_recordings
def test_the_reasons_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen: set[str] = set()
    for each in played:
        for made in each.messages:
            if each.row.finish_reason in ("STOP", "MAX_TOKENS", "SAFETY"):
                usual = {"STOP": "end_turn", "MAX_TOKENS": "max_tokens", "SAFETY": "refusal"}[each.row.finish_reason]
                called = bool(each.row.expected.calls) and usual == "end_turn"
                assert made["stop_reason"] == ("tool_use" if called else usual), each.row.id
                seen.add(made["stop_reason"])
    assert seen >= {"end_turn", "tool_use", "max_tokens"}


@pytest.mark.acceptance(22)
@needs_recordings
def test_sources_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        named: set[str] = set()
        for payload in each.row.payloads():
            for candidate in json.loads(payload).get("candidates") or ():
                chunks = (candidate.get("groundingMetadata") or {}).get("groundingChunks") or ()
                named |= {chunk["web"]["uri"] for chunk in chunks if chunk.get("web")}
        for made in each.messages if named else ():
            assert {one["url"] for one in citations(made)} >= named, each.row.id
            seen += 1
    assert seen > 20


@pytest.mark.acceptance(30)
@needs_recordings
def test_usage_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = {"cachedContentTokenCount": 0, "thoughtsTokenCount": 0, "toolUsePromptTokenCount": 0}
    for each in played:
        counted = each.row.usage
        for made in each.messages if counted else ():
            assert counts(made["usage"]) == wanted_counts(counted), f"{each.row.id}: {counted}"
        seen = {name: count + bool(counted.get(name)) for name, count in seen.items()}
    assert all(seen.values()), seen
