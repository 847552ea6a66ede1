"""Work in the background: with a real store and handler, followed by clients that come and go."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from openai.types.responses import Response

from gemgate.errors import InvalidRequest, NotFound, RateLimited, TooLarge, Unavailable
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Failure, ResponseStart
from gemgate.hub.parts import Signature, Text
from gemgate.protocols.openai_responses.kept import unpacked
from gemgate.surfaces.responses import background as background_module
from gemgate.surfaces.responses import following as following_module
from gemgate.surfaces.responses import job as job_module
from gemgate.surfaces.responses import journal as journal_module
from gemgate.upstreams.refusal import UpstreamRefusal
from tests.pipeline.told import Outcome, WatchedClient, answered, ended, said
from tests.surfaces.responses.rooms import CATALOG, TODAY, Room, answer_of, asking, error_of, events, room, shown, texts

BEGINNING: list[Event] = [ResponseStart("", ""), BlockStart(0, Text("one ")), BlockDelta(0, "two ")]
MIDDLE: list[Event] = [BlockDelta(0, "three")]
END: list[Event] = [BlockEnd(0), *ended()]
ENDS = {"completed", "failed"}


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    """A process in which nobody has to look again: whoever waits is told."""
    monkeypatch.setattr(following_module, "LOOK_SECONDS", 60.0)
    async with room(tmp_path) as made:
        yield made


def will(here: Room, *outcomes: Outcome) -> None:
    """Have the upstream do this."""
    here.fake.outcomes = [*outcomes]


async def begun(here: Room, *outcomes: Outcome, **body: Any) -> str:
    """Begin a response that is not streamed."""
    here.fake.outcomes += outcomes
    return await here.begin(asking(), **body)


async def done(here: Room, *outcomes: Outcome, **body: Any) -> Any:
    """The document of a response that was begun and is over."""
    response_id = await begun(here, *outcomes, **body)
    await here.idle()
    return await here.document(response_id)


class Following:
    """A client that is streamed to, in a task of its own."""

    def __init__(self, here: Room, response_id: str = "", after: int | None = None, **body: Any) -> None:
        self.client = WatchedClient()
        if response_id:
            query = b"stream=true" if after is None else b"stream=true&starting_after=%d" % after
            work = here.kept.get(asking(client=self.client, query=query), response_id)
            self.task: asyncio.Task[Any] = asyncio.create_task(work)
        else:
            self.task = asyncio.create_task(here.begin(asking(client=self.client), stream=True, **body))

    async def id(self) -> str:
        await self.client.got(b"response.queued")
        return str(events(self.client.body)[0]["response"]["id"])

    async def all(self) -> list[Any]:
        """Every event, when the stream has ended."""
        async with asyncio.timeout(5):
            await self.task
        assert self.client.sent[-1]["more_body"] is False
        return events(self.client.body)

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def kinds(found: list[Any]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in found]


# ── without a stream ──


async def test_the_client_has_its_answer_at_once_and_the_response_later(here: Room) -> None:
    gate = asyncio.Event()
    will(here, [gate, *answered("hello")])
    client = WatchedClient()
    response_id = await here.begin(asking(client=client))
    at_first = json.loads(client.body)
    assert at_first["id"] == response_id and at_first["status"] == "queued" and at_first["output"] == []
    assert client.sent[0]["status"] == 200 and here.background.under_way == 1
    Response.model_validate(at_first, strict=True)
    gate.set()
    await here.idle()
    found = await here.document(response_id)
    Response.model_validate(found, strict=True)
    assert found["status"] == "completed" and texts(found) == ["hello"] and found["background"] is True
    assert found["created_at"] == at_first["created_at"] and found["usage"]["total_tokens"] == 3
    asked = await shown(here.kept.input_items, response_id)
    assert [item["content"][0]["text"] for item in asked["data"]] == ["hi"]


async def test_it_is_in_progress_meanwhile(here: Room) -> None:
    gate = asyncio.Event()
    response_id = await begun(here, [gate, *answered("hello")])
    async with asyncio.timeout(5):
        while not here.fake.asked:
            await asyncio.sleep(0)
    assert (await here.document(response_id))["status"] == "in_progress"
    gate.set()


async def test_its_parts_are_kept_for_what_goes_on_from_it(here: Room) -> None:
    signed = Text("hello", Signature("gemini", "c2ln", CATALOG.route("m", TODAY).family))
    found = await done(here, [said(signed), ended()])
    items = await here.store.history("me", found["id"])
    assert items is not None and [unpacked(item.native) for item in items] == [None, (signed,)]


async def test_it_is_asked_for_as_a_stream_whatever_the_client_wants(here: Room) -> None:
    await done(here, answered("hello"))
    assert here.fake.calls[0].stream


async def test_it_cannot_be_streamed_later(here: Room) -> None:
    found = await done(here, answered("hello"))
    error = await error_of(here.kept.get, found["id"], query=b"stream=true")
    assert error.status == 400 and "stream=true" in error.message


# ── with one ──


async def test_the_client_is_told_at_once_and_followed_to_the_end(here: Room) -> None:
    gate = asyncio.Event()
    will(here, [gate, BEGINNING, MIDDLE, END])
    following = Following(here)
    response_id = await following.id()
    assert kinds(events(following.client.body)) == ["created", "queued"]
    gate.set()
    found = await following.all()
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert kinds(found)[:3] == ["created", "queued", "in_progress"] and kinds(found)[-1] == "completed"
    assert "".join(event["delta"] for event in found if "delta" in event) == "one two three"
    assert found[-1]["response"] == await here.document(response_id)
    assert {event["response"]["created_at"] for event in found if "response" in event} == {1_000_000}


async def test_who_learns_of_the_end_finds_it_kept(here: Room) -> None:
    will(here, [BEGINNING, END])
    following = Following(here)
    response_id = await following.id()
    await following.client.got(b"response.completed")
    assert (await here.document(response_id))["status"] == "completed"


@pytest.mark.parametrize("last", [END, [Failure(Unavailable("Overloaded."))]])
@pytest.mark.parametrize("begun", [True, False])
async def test_nobody_learns_of_the_end_before(
    here: Room, monkeypatch: pytest.MonkeyPatch, last: list[Event], begun: bool
) -> None:
    put, asked, gate = here.store.put_response, asyncio.Event(), asyncio.Event()

    async def held(*arguments: Any, only_if: Any = ()) -> bool:
        if only_if:
            asked.set()
            await gate.wait()
        return await put(*arguments, only_if=only_if)

    monkeypatch.setattr(here.store, "put_response", held)
    will(here, [BEGINNING, last] if begun else UpstreamRefusal("client", InvalidRequest("No.")))
    following = Following(here)
    await asked.wait()
    await asyncio.sleep(journal_module.PAUSE_SECONDS * 2)  # anything told by now would be written
    assert not ENDS & {*kinds(events(following.client.body))}
    gate.set()
    assert kinds(await following.all())[-1] in ENDS


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_the_last_events_come_though_the_status_is_there_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    monkeypatch.setattr(following_module, "LOOK_SECONDS", 0.2 if elsewhere else 0.01)
    async with room(tmp_path, [BEGINNING, MIDDLE, END]) as here, room(tmp_path, start=1000) as there:
        add, response, gate = here.store.add_events, there.store.response, asyncio.Event()

        async def held(response_id: str, first: int, lines: Any, alive_at: float) -> str:
            if any(b"response.completed" in line for line in lines):
                await gate.wait()
            return await add(response_id, first, lines, alive_at)

        async def seen(caller_id: str, response_id: str) -> Any:
            found = await response(caller_id, response_id)
            if found is not None and found.status == "completed":
                gate.set()
            return found

        monkeypatch.setattr(here.store, "add_events", held)
        follower = first = Following(here)
        if elsewhere:
            follower = Following(there, await first.id())
            await follower.client.got(b"response.queued")
            monkeypatch.setattr(there.store, "response", seen)
        else:
            while (await here.document(await first.id()))["status"] != "completed":
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)  # several looks
            gate.set()
        found = await follower.all()
        assert [event["sequence_number"] for event in found] == list(range(len(found)))
        assert "output_item.done" in kinds(found) and kinds(found).count("completed") == 1


@pytest.mark.parametrize("over", [True, False])
async def test_it_can_be_followed_from_any_event_on(here: Room, over: bool) -> None:
    gate = asyncio.Event()
    will(here, [BEGINNING, gate, MIDDLE, END])
    first = Following(here)
    response_id = await first.id()
    if over:
        gate.set()
        await here.idle()
        everything = await first.all()
        others = [Following(here, response_id, number) for number in range(-1, len(everything))]
    else:
        others = [Following(here, response_id, number) for number in range(-1, 10)]
        await others[0].client.got(b'"delta":"two "')
        gate.set()
        everything = await first.all()
    for number, other in enumerate(others, start=-1):
        assert await other.all() == everything[number + 1 :]
    assert await Following(here, response_id).all() == everything


async def test_leaving_does_not_stop_it(here: Room) -> None:
    gate = asyncio.Event()
    will(here, [BEGINNING, gate, MIDDLE, END])
    first = Following(here)
    response_id = await first.id()
    await first.client.got(b'"delta":"two "')
    await first.leave()
    last = events(first.client.body)[-1]["sequence_number"]
    second = Following(here, response_id, last)
    gate.set()
    rest = await second.all()
    assert [event["delta"] for event in rest if "delta" in event] == ["three"]
    assert rest[0]["sequence_number"] == last + 1


async def test_a_silent_one_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "LOOK_SECONDS", 0.01)
    gate = asyncio.Event()
    async with room(tmp_path, [gate, *answered("hello")], keepalive_seconds=0.02) as here:
        following = Following(here)
        await following.client.got(b": keep-alive\n\n")
        gate.set()
        assert kinds(await following.all())[-1] == "completed"


async def test_another_process_can_follow_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "LOOK_SECONDS", 0.01)
    gate = asyncio.Event()
    async with room(tmp_path, [BEGINNING, gate, MIDDLE, END]) as here, room(tmp_path, start=1000) as there:
        first = Following(here)
        second = Following(there, await first.id(), -1)
        await second.client.got(b'"delta":"two "')
        gate.set()
        assert await second.all() == await first.all()


# ── cancelling and deleting ──


async def test_cancelling_stops_the_upstream_and_the_stream(here: Room) -> None:
    will(here, [BEGINNING, asyncio.Event()])
    following = Following(here)
    response_id = await following.id()
    await following.client.got(b'"delta":"two "')
    cancelled = await shown(here.kept.cancel, response_id)
    assert cancelled["status"] == "cancelled" and cancelled["id"] == response_id
    Response.model_validate(cancelled, strict=True)
    assert "completed" not in kinds(await following.all())
    await here.idle()
    assert here.fake.replies[0].closed
    assert await here.document(response_id) == cancelled == await shown(here.kept.cancel, response_id)


@pytest.mark.parametrize("deleted", [True, False])
async def test_another_process_can_stop_it(tmp_path: Path, deleted: bool) -> None:
    gate = asyncio.Event()
    async with room(tmp_path, [BEGINNING, gate, MIDDLE, asyncio.Event()]) as here, room(tmp_path, start=1000) as there:
        following = Following(here)
        response_id = await following.id()
        await following.client.got(b'"delta":"two "')
        await answer_of(there.kept.delete if deleted else there.kept.cancel, response_id)
        gate.set()
        await here.idle()
        assert here.fake.replies[0].closed
        await following.all()
        if deleted:
            assert isinstance(await error_of(here.kept.get, response_id), NotFound)
        else:
            assert (await here.document(response_id))["status"] == "cancelled"


async def test_it_sees_that_it_was_stopped_though_nothing_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "HEARTBEAT_SECONDS", 0.02)
    async with room(tmp_path, [BEGINNING, asyncio.Event()]) as here, room(tmp_path, start=1000) as there:
        response_id = await begun(here)
        await answer_of(there.kept.cancel, response_id)
        await here.idle()
        assert (await here.document(response_id))["status"] == "cancelled"


async def test_a_finished_one_stays_as_it_is(here: Room) -> None:
    found = await done(here, answered("hello"))
    assert await shown(here.kept.cancel, found["id"]) == found


async def test_what_is_cancelled_while_it_is_written_stays_so(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancel comes between the last word of the model and the keeping of the answer."""
    put = here.store.put_response

    async def cancelled_before(*arguments: Any, only_if: Any = ()) -> bool:
        if only_if:
            await here.store.set_status(arguments[0].id, "cancelled", b'{"status":"cancelled"}', only_if=only_if)
        return await put(*arguments, only_if=only_if)

    monkeypatch.setattr(here.store, "put_response", cancelled_before)
    assert (await done(here, answered("hello")))["status"] == "cancelled"


async def test_deleting_stops_the_upstream(here: Room) -> None:
    will(here, [BEGINNING, asyncio.Event()])
    following = Following(here)
    response_id = await following.id()
    await following.client.got(b'"delta":"two "')
    assert await shown(here.kept.delete, response_id) == {"id": response_id, "object": "response", "deleted": True}
    await here.idle()
    assert here.fake.replies[0].closed
    assert isinstance(await error_of(here.kept.get, response_id), NotFound)
    await following.all()


# ── faults ──


async def test_a_refusal_is_a_response_that_failed(here: Room) -> None:
    refusal = UpstreamRefusal("quota", RateLimited("Used up.", retry_after_seconds=600))
    will(here, refusal)
    following = Following(here)
    found = await following.all()
    assert kinds(found) == ["created", "queued", "in_progress", "failed"]
    assert [event["sequence_number"] for event in found] == [0, 1, 2, 3]
    response = found[-1]["response"]
    assert response["status"] == "failed" and response["error"]["code"] == "rate_limit_exceeded"
    assert response == await here.document(response["id"])
    Response.model_validate(response, strict=True)


async def test_an_answer_that_breaks_off_failed_too(here: Room) -> None:
    will(here, [BEGINNING, [Failure(Unavailable("Overloaded."))]])
    found = await Following(here).all()
    assert kinds(found)[-1] == "failed" and found[-1]["response"]["error"]["message"] == "Overloaded."
    assert found[-1]["response"] == await here.document(found[0]["response"]["id"])


async def test_so_did_one_that_ran_into_a_fault_of_ours(here: Room, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "gemgate"):
        found = await done(here, ValueError("a secret"))
    assert found["status"] == "failed" and found["error"]["code"] == "server_error"
    assert "a secret" not in json.dumps(found) and "ValueError" in caplog.text


async def test_one_that_is_too_large_to_keep_failed(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "MAX_RESPONSE_BYTES", 5_000)
    will(here, answered("x" * 5_000))
    found = await Following(here).all()
    assert kinds(found)[-1] == "failed" and "too large" in found[-1]["response"]["error"]["message"]
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert (await here.document(found[0]["response"]["id"]))["status"] == "failed"


async def test_what_is_asked_may_be_too_large(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_module, "MAX_RESPONSE_BYTES", 5_000)
    with pytest.raises(TooLarge):
        await here.begin(asking(), input="x" * 5_000)


async def test_there_is_only_so_much_work(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_module, "MAX_JOBS", 2)
    waiting = [await begun(here, [asyncio.Event()]) for _ in range(2)]
    with pytest.raises(Unavailable) as refused:
        await begun(here)
    assert refused.value.retry_after_seconds is not None
    await answer_of(here.kept.cancel, waiting[0])
    async with asyncio.timeout(5):
        while here.background.under_way == 2:
            await asyncio.sleep(0)
    here.fake.outcomes.clear()
    assert await begun(here, answered("hello"))


async def test_nobody_takes_all_the_places(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_module, "MAX_JOBS_OF_CALLER", 1)
    first = await begun(here, [asyncio.Event()])
    with pytest.raises(RateLimited):
        await begun(here)
    await answer_of(here.kept.cancel, first)
    async with asyncio.timeout(5):
        while here.background.under_way:
            await asyncio.sleep(0)
    here.fake.outcomes.clear()
    assert await begun(here, answered("hello"))


async def test_there_is_only_so_much_work_at_the_same_moment(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_module, "MAX_JOBS", 2)
    here.fake.outcomes.extend([asyncio.Event()] for _ in range(5))
    made = await asyncio.gather(*(here.begin(asking()) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, Unavailable) for one in made) == 3 and here.background.under_way == 2


async def test_without_a_database_nothing_is_begun(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> bool:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(here.store, "put_response", broken)
    with pytest.raises(Unavailable):
        await here.begin(asking())
    assert not here.fake.asked and not here.background.under_way


async def test_a_database_that_recovers_loses_no_event(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "AFTER_TROUBLE_SECONDS", 0.0)
    add, faults = here.store.add_events, [2]

    async def sometimes(response_id: str, first: int, lines: Any, alive_at: float) -> str:
        if first >= 2 and faults[0]:
            faults[0] -= 1
            raise sqlite3.OperationalError("database is locked")
        return await add(response_id, first, lines, alive_at)

    monkeypatch.setattr(here.store, "add_events", sometimes)
    will(here, [BEGINNING, MIDDLE, END])
    found = await Following(here).all()
    assert not faults[0] and [event["sequence_number"] for event in found] == list(range(len(found)))
    assert kinds(found)[-1] == "completed"


# ── servers that stop ──


async def test_a_server_that_stops_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "LOOK_SECONDS", 0.01)
    async with room(tmp_path, [BEGINNING, asyncio.Event()]) as here:
        following = Following(here)
        response_id = await following.id()
        await following.client.got(b'"delta":"two "')
        await here.background.aclose()
        found = await following.all()
    assert kinds(found)[-1] == "failed"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert here.fake.replies[0].closed
    async with room(tmp_path, start=1000) as there:
        document = await there.document(response_id)
        assert document["status"] == "failed" and document == found[-1]["response"]
        assert document["error"] == {
            "code": "server_error",
            "message": "The server was stopped while it worked on this.",
        }
        Response.model_validate(document, strict=True)


async def test_what_a_dead_server_left_fails_when_it_is_silent_for_long(
    here: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_module, "LOOK_SECONDS", 0.01)
    found = await here.store.response("me", (await done(here, answered("hello")))["id"])
    assert found is not None
    for name, status, silent in (("old", "in_progress", 61), ("new", "in_progress", 59), ("over", "cancelled", 61)):
        document = b'{"status":"%s"}' % status.encode()
        left = replace(found, id=f"resp_{name}", status=status, document=document, alive_at=here.now - silent)
        await here.store.put_response(left, [], [])
        lines = [b'{"type":"response.created"}', b'{"type":"response.queued"}']
        await here.store.add_events(left.id, 0, lines, here.now - silent)
    following = Following(here, "resp_old", 0)
    await following.client.got(b"response.queued")
    await here.background.sweep()
    assert kinds(await following.all()) == ["queued", "failed"]
    assert (await here.document("resp_old"))["error"]["message"] == background_module.STOPPED.message
    assert (await here.document("resp_new"))["status"] == "in_progress"
    assert (await here.document("resp_over"))["status"] == "cancelled"


async def test_it_looks_for_them_when_it_starts(tmp_path: Path) -> None:
    async with room(tmp_path, answered("hello")) as here:
        found = await here.store.response("me", (await done(here))["id"])
        assert found is not None
        left = replace(found, id="resp_left", status="queued", document=b'{"status":"queued"}', alive_at=here.now - 61)
        await here.store.put_response(left, [], [])
    async with room(tmp_path, start=1000) as there, asyncio.timeout(5):
        while (await there.document("resp_left"))["status"] == "queued":
            await asyncio.sleep(0)
        assert (await there.document("resp_left"))["status"] == "failed"


async def test_whose_last_event_was_lost_ends_all_the_same(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "LOOK_SECONDS", 0.01)
    found = await here.store.response("me", (await done(here, answered("hello")))["id"])
    assert found is not None
    await here.store.put_response(replace(found, id="resp_left"), [], [])
    lines = [b'{"type":"response.created"}', b'{"type":"response.queued"}']
    await here.store.add_events("resp_left", 0, lines, here.now)
    seen = await Following(here, "resp_left").all()
    assert kinds(seen) == ["created", "queued", "completed"]
    assert seen[-1]["sequence_number"] == 2 and texts(seen[-1]["response"]) == ["hello"]
    assert await Following(here, "resp_left", 2).all() == await Following(here, "resp_left", 99).all() == []


async def test_what_has_expired_is_cleared_away(here: Room) -> None:
    for _ in range(3):
        await done(here, answered("hello"))
    here.now += 365 * 24 * 3600
    await here.background.sweep()
    assert not await here.store.purge()


async def test_an_answer_is_kept_though_the_database_was_busy(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "AFTER_TROUBLE_SECONDS", (0.0, 0.0))
    put, faults = here.store.put_response, [2]

    async def busy(*arguments: Any, only_if: Any = ()) -> bool:
        if only_if and faults[0]:
            faults[0] -= 1
            raise sqlite3.OperationalError("database is locked")
        return await put(*arguments, only_if=only_if)

    monkeypatch.setattr(here.store, "put_response", busy)
    assert (await done(here, answered("hello")))["status"] == "completed" and not faults[0]
    faults[0] = 3
    assert (await done(here, answered("hello")))["status"] == "failed"


async def test_each_has_a_line_in_the_log(here: Room, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gemgate"):
        await done(here, answered("hello"))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("200 BACKGROUND /x ") and "1+2 tokens" in line and "req_1" in line


async def test_whose_it_is_and_how_strict_goes_along(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool]] = []
    generate = here.handler.generate

    async def noted(exchange: Any, *rest: Any) -> None:
        seen.append((exchange.caller.id, exchange.strict))
        await generate(exchange, *rest)

    monkeypatch.setattr(here.handler, "generate", noted)
    will(here, answered("hello"))
    exchange = asking(caller="me")
    exchange.strict = True
    await here.begin(exchange)
    await here.idle()
    assert seen == [("me", True)]
