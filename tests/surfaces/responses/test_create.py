"""Answering: what is kept of it, where, and what the next request finds of it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gemgate.errors import InvalidRequest, NotFound, RateLimited, TooLarge, Unavailable
from gemgate.hub.events import Failure
from gemgate.hub.parts import Message, Signature, Text, Thought, ToolCall
from gemgate.pipeline.preview import DryRun
from gemgate.protocols.openai_responses.compaction import opened_summary
from gemgate.protocols.openai_responses.summing import WORDS
from gemgate.store.protocols import StoredResponse
from gemgate.surfaces.responses import create as create_module
from gemgate.surfaces.responses import past as past_module
from gemgate.surfaces.responses import record as record_module
from gemgate.surfaces.responses.create import ResponsesSurface
from gemgate.surfaces.responses.session import Session
from tests.pipeline.told import Outcome, answered, ended, refused, said
from tests.surfaces.responses.rooms import CATALOG, TODAY, Room, answer_of, asking, error_of, events, room, shown, texts

MARK = Signature("gemini", "c2ln")
FAMILY = CATALOG.route("m", TODAY).family


class House:
    """A room, and the surface that answers in it."""

    def __init__(self, made: Room, *, retention_days: float = 30, store: Any = None) -> None:
        self.room = made
        dry_run = DryRun(made.fake, CATALOG, lambda: TODAY)
        self.surface = ResponsesSurface(
            made.handler, dry_run, store or made.store, made.background, made.clock, retention_days=retention_days
        )

    def will(self, *outcomes: Outcome) -> None:
        self.room.fake.outcomes = [*outcomes]

    async def ask(self, *outcomes: Outcome, session: Session | None = None, caller: str = "me", **fields: Any) -> Any:
        """The response."""
        self.will(*outcomes)
        body = json.dumps({"model": "m", "input": "hi"} | fields).encode()
        client = await answer_of(self.surface.create, body, session, caller=caller)
        if session is not None:
            return json.loads(client.body.splitlines()[-1])["response"]
        return events(client.body)[-1]["response"] if fields.get("stream") else json.loads(client.body)

    async def refused(self, *outcomes: Outcome, session: Session | None = None, **fields: Any) -> Any:
        self.will(*outcomes)
        body = json.dumps({"model": "m", "input": "hi"} | fields).encode()
        return await error_of(self.surface.create, body, session)

    @property
    def sent(self) -> tuple[Message, ...]:
        """What the model was told last."""
        return self.room.fake.calls[-1].messages


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    async with room(tmp_path) as made:
        yield House(made)


each_form = pytest.mark.parametrize("stream", [False, True])


@each_form
async def test_an_answer_is_kept_with_its_parts(here: House, stream: bool) -> None:
    parts = (Thought("hm"), ToolCall("c", "find", "{}", MARK))
    made = await here.ask([said(*parts), ended()], stream=stream)
    assert made["store"] is True
    assert await shown(here.room.kept.get, made["id"]) == made
    result = [{"type": "function_call_output", "call_id": "c", "output": "here"}]
    await here.ask(answered("Found."), input=result, previous_response_id=made["id"], stream=stream)
    signed = ToolCall("c", "find", "{}", Signature("gemini", "c2ln", FAMILY))
    assert here.sent[:2] == (Message("user", (Text("hi"),)), Message("model", (Thought("hm"), signed)))


@each_form
async def test_the_next_may_come_before_the_end_was_read(here: House, stream: bool) -> None:
    """By the time the last piece is sent the answer is kept."""
    made = await here.ask(answered("one"), stream=stream)
    assert await here.room.store.response("me", made["id"]) is not None


async def test_nothing_is_kept_of_what_shall_not_be(here: House) -> None:
    made = await here.ask(answered("one"), store=False)
    assert made["store"] is False
    error = await here.refused(previous_response_id=made["id"])
    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == ("previous_response_id", "previous_response_not_found")


async def test_what_is_anothers_is_not_there(here: House) -> None:
    made = await here.ask(answered("one"), caller="somebody")
    assert isinstance(await here.refused(previous_response_id=made["id"]), InvalidRequest)
    item = made["output"][0]["id"]
    error = await here.refused(input=[{"type": "item_reference", "id": item}])
    assert isinstance(error, NotFound) and error.param == "input"


async def test_an_item_is_found_by_its_id(here: House) -> None:
    made = await here.ask([said(Text("one", MARK)), ended()])
    reference = {"type": "item_reference", "id": made["output"][0]["id"]}
    again = await here.ask(answered("two"), input=["hi", reference, {"role": "user", "content": "and?"}])
    assert here.sent[1] == Message("model", (Text("one", Signature("gemini", "c2ln", FAMILY)),))
    given = await shown(here.room.kept.input_items, again["id"], query=b"order=asc")
    assert [item["id"] for item in given["data"]][1] == reference["id"]


async def test_where_nothing_is_kept_the_client_is_told(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        house = House(made, retention_days=0)
        exchange = asking()
        house.will(answered("one"), answered("two"))
        await house.surface.create(exchange, b'{"model":"m","input":"hi","store":true}')
        assert [dropped.path for dropped in exchange.dropped] == ["store"]
        exchange = asking()
        await house.surface.create(exchange, b'{"model":"m","input":"hi"}')
        assert exchange.dropped == []
        error = await house.refused(background=True)
        assert isinstance(error, InvalidRequest) and error.param == "background"


class Broken:
    """A store that is out of order."""

    def __getattr__(self, name: str) -> Any:
        async def fails(*_: Any, **__: Any) -> None:
            raise OSError("the disk is full")

        return fails


@each_form
async def test_trouble_with_the_store_costs_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    async with room(tmp_path) as made:
        house = House(made, store=Broken())
        with caplog.at_level(logging.WARNING, "gemgate"):
            assert texts(await house.ask(answered("one"), stream=stream)) == ["one"]
        assert "a response is not kept (the disk is full)" in caplog.text
        error = await house.refused(previous_response_id="resp_1")
        assert isinstance(error, Unavailable) and "disk" not in error.message


async def test_a_conversation_goes_on(here: House) -> None:
    made = await shown(here.room.conversations.create, b"{}")
    for store, words in ((True, "one"), (False, "two")):
        found = await here.ask(answered(words), conversation=made["id"], store=store)
        assert found["conversation"] == {"id": made["id"]}
    await here.ask(answered("three"), conversation={"id": made["id"]})
    assert [part.text for message in here.sent for part in message.parts if isinstance(part, Text)] == [
        "hi",
        "one",
        "hi",
        "two",
        "hi",
    ]
    assert isinstance(await here.refused(conversation="conv_none"), NotFound)


@pytest.mark.parametrize("conversation", [False, True])
async def test_what_is_kept_and_comes_back_is_not_said_twice(here: House, conversation: bool) -> None:
    """Some clients send all they have beside the id that stands for it."""
    kept = await shown(here.room.conversations.create, b"{}") if conversation else None
    first = await here.ask(
        [said(Text("look"), ToolCall("c", "find", "{}", MARK)), ended()],
        **({"conversation": kept["id"]} if kept else {}),
    )
    on = {"conversation": kept["id"]} if kept else {"previous_response_id": first["id"]}
    called = {name: value for name, value in first["output"][1].items() if name != "id"}
    result = {"type": "function_call_output", "call_id": "c", "output": "here"}
    second = await here.ask(answered("Found."), input=[first["output"][0], called, result], **on)
    assert [len(message.parts) for message in here.sent] == [1, 2, 1]
    if kept is None:
        given = await shown(here.room.kept.input_items, second["id"], query=b"order=asc")
        assert [item["type"] for item in given["data"]].count("message") == 2


async def test_who_goes_on_from_a_broken_chain_is_told_so(here: House) -> None:
    first = await here.ask(answered("one"))
    second = await here.ask(answered("two"), previous_response_id=first["id"])
    await answer_of(here.room.kept.delete, first["id"])
    error = await here.refused(previous_response_id=second["id"])
    assert error.code == "previous_response_not_found" and "deleted or has expired" in error.message


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed", "failed"])
async def test_what_is_worked_on_is_not_gone_on_from(here: House, status: str) -> None:
    made = await here.ask(answered("one"))
    assert await here.room.store.set_status(made["id"], status, b"{}", only_if=["completed"])
    if status in ("completed", "failed"):
        await here.ask(answered("two"), previous_response_id=made["id"])
    else:
        error = await here.refused(previous_response_id=made["id"])
        assert f"still {status}" in error.message and error.param == "previous_response_id"


async def test_a_conversation_without_an_id_is_none(here: House) -> None:
    assert (await here.refused(conversation={"a": 1})).param == "conversation.id"


async def test_what_is_not_text_is_not_kept(here: House) -> None:
    here.will(answered("one"))
    body = b'{"model":"m","input":[{"type":"message","role":"user","content":"x","zz":"\xff"}]}'
    assert isinstance(await error_of(here.surface.create, body, None), InvalidRequest)


async def test_what_is_too_large_to_be_kept_is_answered_all_the_same(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_module, "MAX_INPUT_BYTES", 10)
    here.will(answered("one"))
    exchange = asking()
    await here.surface.create(exchange, b'{"model":"m","input":"more than that"}')
    assert [dropped.path for dropped in exchange.dropped] == ["store"]


async def test_references_are_bounded(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_module, "MAX_REFERENCES", 1)
    error = await here.refused(input=[{"type": "item_reference", "id": name} for name in ("a", "b")])
    assert isinstance(error, InvalidRequest) and error.param == "input"


async def test_an_answer_that_is_too_large_is_not_kept(
    here: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(record_module, "MAX_RESPONSE_BYTES", 100)
    with caplog.at_level(logging.WARNING, "gemgate"):
        made = await here.ask(answered("one"))
    assert "a response is not kept" in caplog.text
    assert await here.room.store.response("me", made["id"]) is None


async def test_nobody_waits_long_for_the_database(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, put = asyncio.Event(), here.room.store.put_response

    async def late(*arguments: Any, **more: Any) -> bool:
        await go_on.wait()
        return await put(*arguments, **more)

    monkeypatch.setattr(here.room.store, "put_response", late)
    monkeypatch.setattr(record_module, "PATIENCE_SECONDS", 0.01)
    made = await here.ask(answered("one"))
    assert await here.room.store.response("me", made["id"]) is None
    (task,) = record_module.LATE
    go_on.set()
    await task
    assert await here.room.store.response("me", made["id"]) is not None


async def test_a_response_is_kept_though_its_conversation_is_full(
    here: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    conversation = await shown(here.room.conversations.create, b"{}")
    put = here.room.store.put_response

    async def full(response: StoredResponse, *more: Any) -> bool:
        if response.conversation_id:
            raise TooLarge("It is full.")
        return await put(response, *more)

    monkeypatch.setattr(here.room.store, "put_response", full)
    with caplog.at_level(logging.WARNING, "gemgate"):
        made = await here.ask(answered("one"), conversation=conversation["id"])
    assert "a conversation is full" in caplog.text
    assert await here.room.store.response("me", made["id"]) is not None


# ── sessions ──


async def test_a_session_goes_on_from_what_is_not_kept(here: House) -> None:
    session = Session()
    first = await here.ask(
        [said(ToolCall("c", "find", "{}", MARK)), ended()], session=session, store=False, stream=True
    )
    assert await here.room.store.response("me", first["id"]) is None
    result = [{"type": "function_call_output", "call_id": "c", "output": "here"}]
    go_on: Any = {"session": session, "store": False, "stream": True, "previous_response_id": first["id"]}
    second = await here.ask(answered("Found."), input=result, **go_on)
    call = here.sent[1].parts[0]
    assert isinstance(call, ToolCall) and call.signature is not None and call.signature.value == "c2ln"
    assert session.history(second["id"]) is not None and session.history(first["id"]) is not None


@pytest.mark.parametrize(
    "trouble", [refused("client"), RateLimited("No."), [said(Text("a")), [Failure(Unavailable("No."))]]]
)
async def test_a_turn_that_fails_is_not_gone_on_from(here: House, trouble: Any) -> None:
    session = Session()
    first = await here.ask(answered("one"), session=session, store=False, stream=True)
    asked: Any = {"session": session, "store": False, "stream": True, "previous_response_id": first["id"]}
    if isinstance(trouble, list) and not isinstance(trouble[0], Exception) and len(trouble) > 1:
        assert (await here.ask(trouble, **asked))["status"] == "failed"
    else:
        await here.refused(trouble, trouble, **asked)
    assert session.history(first["id"]) is None
    assert (await here.refused(**asked)).code == "previous_response_not_found"


async def test_warming_up_asks_nobody(here: House) -> None:
    session = Session()
    client = await answer_of(here.surface.warm_up, b'{"model":"m","input":"system","stream":true}', session)
    told = [json.loads(line) for line in client.body.splitlines()]
    assert [event["type"] for event in told] == ["response.created", "response.in_progress", "response.completed"]
    assert told[-1]["response"]["output"] == [] and here.room.fake.calls == []
    made = await here.ask(
        answered("one"), session=session, stream=True, store=False, previous_response_id=told[0]["response"]["id"]
    )
    assert texts(made) == ["one"] and len(here.sent) == 2


# ── compaction ──


@each_form
async def test_a_trigger_makes_the_conversation_short(here: House, stream: bool) -> None:
    first = await here.ask(answered("one"))
    asked: Any = {"previous_response_id": first["id"], "input": [{"type": "compaction_trigger"}], "stream": stream}
    made = await here.ask(answered("They said one."), **asked)
    assert here.sent[-1] == WORDS
    (short,) = made["output"]
    assert opened_summary(short["encrypted_content"]) == "They said one."
    await here.ask(answered("two"), previous_response_id=made["id"], input="And now?")
    told = [part.text for message in here.sent for part in message.parts if isinstance(part, Text)]
    assert told[0] == "hi" and "They said one." in told[1] and told[2] == "And now?" and "one" not in told


# ── counting ──


async def test_instructions_alone_are_counted(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def count(*_: Any) -> int:
        return 3

    monkeypatch.setattr(here.room.fake, "count_tokens", count, raising=False)
    found = await shown(here.surface.count_tokens, b'{"model":"m","instructions":"Be brief."}')
    assert found["input_tokens"] == 3
    assert (await here.refused(input=None, instructions="Be brief.")).param == "input"


async def test_what_went_before_is_counted(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await here.ask(answered("one"))
    counted: list[int] = []

    async def count(prepared: Any, *_: Any) -> int:
        counted.append(len(prepared.call.messages))
        return 7

    monkeypatch.setattr(here.room.fake, "count_tokens", count, raising=False)
    body = json.dumps({"model": "m", "input": "more", "previous_response_id": first["id"]}).encode()
    assert await shown(here.surface.count_tokens, body) == {"object": "response.input_tokens", "input_tokens": 7}
    assert counted == [3]
