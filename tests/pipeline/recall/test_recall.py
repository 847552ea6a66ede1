"""What the model signed comes back signed, whatever the client has lost on the way."""

import asyncio
import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from time import process_time

import pytest
from msgspec import msgpack
from msgspec.structs import replace

from gemgate.hub.call import BuiltIn, Function, OpaqueTool
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Media,
    Message,
    Part,
    Remote,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Uri,
    Vendor,
)
from gemgate.pipeline.recall import recall as module
from gemgate.pipeline.recall.keys import key
from gemgate.pipeline.recall.pieces import Mark, Record, pieces
from gemgate.pipeline.recall.recall import KEPT_SECONDS, Recall
from gemgate.store.sqlite import SqliteStore
from tests.pipeline.recall.recalling import (
    ASK,
    FAMILY,
    ME,
    Clock,
    ask,
    bare,
    expected,
    image,
    model,
    opaque,
    opened,
    refilled,
    sig,
    signed,
    spoken,
    stripped,
)


class Counting:
    """A store that tells what it was asked."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.asked: list[int] = []

    async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        self.asked.append(len(keys))
        return await self.store.recall(keys)

    def remember(self, rows: Mapping[bytes, bytes], expires_at: float) -> None:
        self.store.remember(rows, expires_at)


class Forgetful:
    """A store that knows nothing."""

    async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {}

    def remember(self, rows: Mapping[bytes, bytes], expires_at: float) -> None:
        pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
async def store(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with opened(path, clock) as made:
        yield made


@pytest.fixture
def recall(store: SqliteStore, clock: Clock) -> Recall:
    return Recall(store, clock)


# ── conversations ──

CALL_1 = ToolCall("c1", "look", '{"at":"cat"}', sig("czE="))
CALL_2 = ToolCall("c2", "look", '{"at":"dog"}')
CALL_3 = ToolCall("c3", "draw", "{}", sig("czM="))


def results(*calls: ToolCall) -> Message:
    return Message("user", tuple(ToolResult(call.id, call.name, '{"output":1}') for call in calls))


async def test_a_conversation_with_tool_steps_and_images_across_a_restart(path: Path, clock: Clock) -> None:
    steps = (
        [Thought("hm"), Text("Let me see. "), CALL_1, CALL_2],
        [CALL_3],
        [Text("Here: ", sig("dDE=")), image("Y2F0", sig("aTE=")), Text("", sig("dDI="))],
    )
    history: list[Message] = [ASK]
    for step in steps:
        async with opened(path, clock) as store:
            recall = Recall(store, clock)
            signed(recall, step, *history)
        history.append(model(stripped(step)))
        calls = [part for part in step if isinstance(part, ToolCall)]
        history.append(results(*calls) if calls else Message("user", (Text("now a dog"),)))
    async with opened(path, clock) as store:
        edited = [Text("", sig("dDM=")), image("ZG9n", sig("aTI="))]
        signed(Recall(store, clock), edited, *history)
    history += (model(stripped(edited)), Message("user", (Text("thanks"),)))
    async with opened(path, clock) as store:
        filled = (await Recall(store, clock).filled(ask(*history), ME, FAMILY, everything=True)).call
    said = [message.parts for message in filled.messages if message.role == "model"]
    assert said == [expected(step) for step in (*steps, edited)]
    assert [m for m in filled.messages if m.role == "user"] == [m for m in history if m.role == "user"]


async def test_callers_do_not_see_each_other(recall: Recall) -> None:
    parts = [Text("cat", sig("dA==")), image("Y2F0", sig("aQ==")), CALL_1]
    signed(recall, parts, caller="me")
    assert await refilled(recall, stripped(parts), caller="you") == tuple(stripped(parts))
    assert await refilled(recall, stripped(parts), caller="me") == tuple(parts)


async def test_another_family_does_not_get_them(recall: Recall) -> None:
    signed(recall, [Text("cat", sig("dA==")), CALL_1], family="another")
    history = stripped([Text("cat"), CALL_1])
    assert await refilled(recall, history) == tuple(history)
    assert await refilled(recall, history, family="another") == (Text("cat", sig("dA==")), CALL_1)


async def test_they_are_kept_for_a_day(recall: Recall, store: SqliteStore, clock: Clock) -> None:
    signed(recall, [CALL_1])
    clock.now += KEPT_SECONDS - 1
    for some in (recall, Recall(store, clock)):
        assert await refilled(some, [bare(CALL_1)]) == (CALL_1,)
    clock.now += 1
    for some in (recall, Recall(store, clock)):
        assert await refilled(some, [bare(CALL_1)]) == (bare(CALL_1),)


async def test_only_calls_where_not_everything_is_needed(recall: Recall) -> None:
    parts = [Text("cat", sig("dA==")), CALL_1, image("Y2F0", sig("aQ=="))]
    signed(recall, parts)
    back = await refilled(recall, stripped(parts), everything=False)
    assert back == (Text("cat"), CALL_1, image("Y2F0"))


async def test_ids_that_a_client_has_mangled_are_not_found(recall: Recall) -> None:
    signed(recall, [CALL_1])
    for call_id in ("C1", "c1 ", "call_c1", ""):
        mangled = ToolCall(call_id, "look", "{}")
        assert await refilled(recall, [mangled]) == (mangled,)


async def test_calls_without_an_id_are_left_alone(recall: Recall) -> None:
    nameless = ToolCall("", "look", "{}", sig("czE="))
    signed(recall, [nameless, Text("x", sig("dA=="))])
    assert await refilled(recall, [bare(nameless), Text("x")]) == (bare(nameless), Text("x", sig("dA==")))


async def test_what_the_client_has_signed_itself_stays(recall: Recall) -> None:
    signed(recall, [Text("ab", sig("dA==")), Text("c"), CALL_1, image("Y2F0", sig("aQ=="))])
    own = [Text("a"), Text("bc", sig("b3du")), replace(CALL_1, signature=sig("b3du")), image("Y2F0", sig("b3du"))]
    assert await refilled(recall, own) == tuple(own)
    own[0:2] = [Text("abc")]
    assert await refilled(recall, own) == (Text("ab", sig("dA==")), Text("c"), *own[1:])


@pytest.mark.parametrize("tool", [BuiltIn("web_search"), OpaqueTool(Vendor("gemini", "{}"))])
async def test_traces_of_served_tools_come_back_beside_signed_calls(recall: Recall, tool: BuiltIn | OpaqueTool) -> None:
    parts = [Text("x", sig("dA==")), opaque("before"), CALL_1, opaque("after")]
    signed(recall, [*parts, Text("", sig("dDI="))])
    own = [Text("x", sig("b3du")), replace(CALL_1, signature=sig("b3du"))]
    call = replace(ask(ASK, model(own), results(CALL_1)), tools=(Function(name="look"), tool))
    filled = (await recall.filled(call, ME, FAMILY, everything=True)).call
    assert filled.messages[1].parts == (own[0], parts[1], own[1], parts[3])
    assert (await recall.filled(filled, ME, FAMILY, everything=False)).call is filled
    plain = replace(call, tools=(Function(name="look"),))
    parts = [*parts[1:], Text("", sig("dDI="))]
    assert (await recall.filled(plain, ME, FAMILY, everything=False)).call is plain
    unsigned = replace(plain, messages=(ASK, model([bare(CALL_1)]), results(CALL_1)))
    assert (await recall.filled(unsigned, ME, FAMILY, everything=False)).call.messages[1].parts == tuple(parts)


async def test_signatures_are_never_merged(recall: Recall) -> None:
    parts = [Text("a", sig("MQ==")), Text("b", sig("Mg==")), Text("", sig("Mw==")), Text("", sig("NA=="))]
    signed(recall, parts)
    assert await refilled(recall, [Text("ab")]) == tuple(parts)


async def test_what_the_client_has_kept_is_not_doubled(recall: Recall) -> None:
    parts = [opaque("before"), CALL_1, Text("", sig("dA=="))]
    signed(recall, parts)
    assert await refilled(recall, [parts[0], bare(CALL_1), parts[2]]) == tuple(parts)


async def test_what_a_format_keeps_with_its_family_is_not_doubled(recall: Recall) -> None:
    call, late = ToolCall("c", "f", "{}"), Text("", sig("dA=="))
    signed(recall, [Text("look"), call, late])
    kept = (Text("look"), call, replace(late, signature=replace(sig("dA=="), family=FAMILY)))
    assert await refilled(recall, kept) == kept


async def test_loose_parts_come_back_with_what_stands_before_them(recall: Recall) -> None:
    parts = [CALL_1, opaque("1"), Text("", sig("dA==")), opaque("2"), Text("x")]
    signed(recall, parts)
    assert await refilled(recall, [bare(CALL_1), Text("x")], everything=False) == (*parts[:3], Text("x"))
    assert await refilled(recall, [Text("x")]) == tuple(parts[3:])


async def test_code_stands_between_texts(recall: Recall) -> None:
    code, result = Code("", "python", "1", sig("Yw==")), CodeResult("", "ok", "1")
    parts = [Text("a"), Text("", sig("dA==")), opaque("1"), code, opaque("3"), result, opaque("2"), Text("b")]
    signed(recall, parts)
    back = await refilled(recall, [Text("a"), bare(code), result, Text("b")])
    assert back == tuple(parts)


async def test_code_is_known_by_its_id_and_what_it_says(recall: Recall) -> None:
    twice = [Code("1", "python", "print(1)", sig("MQ==")), Code("2", "python", "print(1)", sig("Mg=="))]
    signed(recall, [*twice, Code("", "python", "print(1)", sig("Mw=="))])
    assert await refilled(recall, [bare(code) for code in twice]) == tuple(twice)
    assert await refilled(recall, [Code("", "python", "print(1)")]) == (Code("", "python", "print(1)", sig("Mw==")),)
    assert await refilled(recall, [Code("1", "python", "print(2)")]) == (Code("1", "python", "print(2)"),)


async def test_thoughts_in_a_history_stay(recall: Recall) -> None:
    draft = image("ZHJhZnQ=", draft=True)
    signed(recall, [Text("a"), Thought("hm"), draft, Text("b", sig("dA=="))])
    back = await refilled(recall, [Text("a"), Thought("hm"), draft, Text("b")])
    assert back == (Thought("hm"), draft, Text("a"), Text("b", sig("dA==")))


# ── the user's words ──

CAT, URL = image("Y2F0"), Media("image/png", Remote("https://x/cat.png"))


@pytest.mark.parametrize(
    ("then", "now", "found"),
    [
        ((Text("draw a cat"),), (Text("draw "), Text("a cat")), True),
        ((Text("draw a cat"), CAT), (CAT, Text("draw a cat")), True),
        ((image("Y2F0"),), (image(memoryview(b"Y2F0")),), True),
        ((URL, Text("x")), (URL, Text("x")), True),
        ((ToolResult("c", "f", "{}"), Text("x")), (Text("x"),), True),
        ((Text("draw a cat"),), (Text("draw a cat "),), False),
        ((Text("x"), CAT), (Text("x"),), False),
        ((CAT,), (image("ZG9n"),), False),
        ((URL,), (Media("image/png", Uri("https://x/dog.png")),), False),
    ],
)
async def test_texts_and_images_are_known_by_what_they_answer(
    recall: Recall, then: tuple[Part, ...], now: tuple[Part, ...], found: bool
) -> None:
    parts = [Text("hello", sig("dA==")), image("aGk=", sig("aQ=="))]
    signed(recall, parts, Message("user", then))
    back = await refilled(recall, stripped(parts), Message("user", now))
    assert back == (tuple(parts) if found else tuple(stripped(parts)))


async def test_results_of_functions_are_not_the_users_words(recall: Recall) -> None:
    said = [Text("done", sig("dA=="))]
    signed(recall, said, ASK, model([bare(CALL_1)]), results(CALL_1))
    assert await refilled(recall, [Text("done")], ASK) == tuple(said)


async def test_a_reply_to_nobody(recall: Recall) -> None:
    signed(recall, [Text("hello", sig("dA=="))], model([Text("x")]))
    assert await refilled(recall, [Text("hello")], model([Text("x")])) == (Text("hello", sig("dA==")),)


def differing(size: int, at: int) -> tuple[str, str]:
    text = "x" * size
    return text, text[:at] + "y" + text[at + 1 :]


@pytest.mark.parametrize("at", [0, 255, 50_000, 99_999 - 255, 99_999])
@pytest.mark.parametrize("lazy", [False, True])
async def test_large_things_are_told_apart_by_ends_and_middle(recall: Recall, at: int, lazy: bool) -> None:
    one, other = differing(100_000, at)
    signed(recall, [image(one, sig("aQ==")), Text(one, sig("dA=="))])
    form = memoryview(one.encode()) if lazy else one
    assert await refilled(recall, [image(form), Text(one)]) == (image(form, sig("aQ==")), Text(one, sig("dA==")))
    for unlike in (other, one + "x"):
        assert await refilled(recall, [image(unlike), Text(unlike)]) == (image(unlike), Text(unlike))


async def test_any_text_has_a_key(recall: Recall) -> None:
    odd = Text("\ud800 😀 \0", sig("dA=="))
    signed(recall, [odd], Message("user", (Text("\udfff"),)))
    assert await refilled(recall, [bare(odd)], Message("user", (Text("\udfff"),))) == (odd,)


def test_no_field_of_a_key_passes_for_another() -> None:
    fields = [
        ("a", b"bc", b"d"),
        ("ab", b"c", b"d"),
        ("a", b"b", b"cd"),
        ("a", b"bcd"),
        ("abc", b"d"),
        ("a", b"bc", b"", b"d"),
    ]
    assert len({key(*some) for some in fields}) == len(fields)


def test_keys_say_nothing() -> None:
    """They are digests: neither a caller nor words can be read from a file of them."""
    made = pieces([Text("secret words")])[0].key("caller-name", b"said")
    assert len(made) == 16 and not re.search(rb"secret|caller", made)


# ── watching ──


async def test_a_reply_that_broke_off(recall: Recall) -> None:
    watch = recall.watch(ask(ASK), ME, FAMILY)
    watch.see([BlockStart(0, Text("a", sig("dA=="))), BlockEnd(0), BlockStart(0, Text("b")), BlockDelta(0, "c")])
    watch.keep()
    assert await refilled(recall, [Text("abc")]) == (Text("a", sig("dA==")), Text("bc"))
    watch = recall.watch(ask(ASK), ME, FAMILY)
    watch.see([*spoken([CALL_1]), BlockStart(0, replace(CALL_3, arguments='{"a'))])
    watch.keep()
    assert await refilled(recall, [bare(CALL_1), bare(CALL_3)]) == (CALL_1, bare(CALL_3))


async def test_each_choice_is_remembered(recall: Recall) -> None:
    watch = recall.watch(ask(ASK), ME, FAMILY)
    same = [[Text("same", sig(f"{number}"))] for number in range(2)]
    for one, other in zip(spoken([CALL_1, *same[0]], 0), spoken([CALL_3, *same[1]], 1), strict=True):
        watch.see([other, one])
    watch.keep()
    assert await refilled(recall, [bare(CALL_3), bare(CALL_1)]) == (CALL_3, CALL_1)
    assert await refilled(recall, [Text("same")]) == tuple(same[0])


async def test_keeping_twice_is_keeping_once(store: SqliteStore, clock: Clock) -> None:
    class Once(Counting):
        kept = 0

        def remember(self, rows: Mapping[bytes, bytes], expires_at: float) -> None:
            self.kept += 1

    once = Once(store)
    recall = Recall(once, clock)
    watch = recall.watch(ask(ASK), ME, FAMILY)
    watch.see(spoken([CALL_1]))
    watch.keep()
    watch.keep()
    assert once.kept == 1
    signed(recall, [Text("nothing"), CALL_2, Thought("signed, but lost anyway", sig("dA=="))])
    assert once.kept == 1


# ── the store ──


async def test_the_store_is_asked_only_for_what_this_process_does_not_know(store: SqliteStore, clock: Clock) -> None:
    counting = Counting(store)
    recall = Recall(counting, clock)
    signed(recall, [Text("known", sig("dA==")), CALL_1])
    assert await refilled(recall, [Text("known"), bare(CALL_1)]) == (Text("known", sig("dA==")), CALL_1)
    plain = ask(ASK, model([Text("signed", sig("eA==")), CALL_1]), results(CALL_1))
    assert (await recall.filled(plain, ME, FAMILY, everything=True)).call is plain
    assert counting.asked == []
    unknown = ask(ASK, model([Text("known"), ToolCall("x", "f", "{}"), ToolCall("y", "f", "{}")]))
    await recall.filled(unknown, ME, FAMILY, everything=True)
    assert counting.asked == [2]
    forgotten = ask(ASK, model([Text("unknown")]))
    assert (await recall.filled(forgotten, ME, FAMILY, everything=True)).call is forgotten


async def test_of_a_long_history_the_latest_is_looked_up(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WANTED", 3)
    calls = [ToolCall(f"c{number}", "f", "{}", sig(f"{number}")) for number in range(5)]
    signed(Recall(store, clock), calls)
    counting = Counting(store)
    recall = Recall(counting, clock)
    assert await refilled(recall, map(bare, calls)) == (*map(bare, calls[:2]), *calls[2:])
    history = [message for call in calls for message in (model([bare(call)]), results(call))]
    filled = (await recall.filled(ask(ASK, *history), ME, FAMILY, everything=True)).call
    assert [message.parts[0] for message in filled.messages[1::2]] == [*map(bare, calls[:2]), *calls[2:]]
    assert counting.asked == [3, 3]


async def test_a_store_in_trouble_costs_the_signatures_alone(
    store: SqliteStore, path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE signatures")
    connection.close()
    recall = Recall(store, clock)
    signed(recall, [CALL_1])
    call = ask(ASK, model([CALL_2, bare(CALL_1)]))
    with caplog.at_level(logging.WARNING, "gemgate"):
        for _ in range(3):
            filled = (await recall.filled(call, ME, FAMILY, everything=True)).call
            assert filled.messages[1].parts == (CALL_2, CALL_1)  # this process still knows it
    told = [message for message in caplog.messages if "recalled" in message]
    assert told == ["signatures cannot be recalled (no such table: signatures)"]
    fresh = (await Recall(store, clock).filled(call, ME, FAMILY, everything=True)).call
    assert fresh is call


async def test_a_store_that_hangs_does_not_hold_requests(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Hanging(Counting):
        async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
            await asyncio.Event().wait()
            return {}

    monkeypatch.setattr(module, "RECALL_SECONDS", 0.01)
    assert await refilled(Recall(Hanging(store), clock), [bare(CALL_1)]) == (bare(CALL_1),)
    assert "signatures cannot be recalled (TimeoutError)" in caplog.text


async def test_a_client_that_leaves_meanwhile_is_let_go(store: SqliteStore, clock: Clock) -> None:
    asked = asyncio.Event()

    class Hanging(Counting):
        async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
            asked.set()
            await asyncio.Event().wait()
            return {}

    asking = asyncio.create_task(refilled(Recall(Hanging(store), clock), [bare(CALL_1)]))
    await asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_records_that_cannot_be_read_are_none(store: SqliteStore, clock: Clock) -> None:
    signed(Recall(store, clock), [CALL_1])

    class Garbled(Counting):
        async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
            return {key: row + b"\xc1" for key, row in (await super().recall(keys)).items()}

    assert await refilled(Recall(Garbled(store), clock), [bare(CALL_1)]) == (bare(CALL_1),)
    assert await refilled(Recall(Counting(store), clock), [bare(CALL_1)]) == (CALL_1,)


async def test_marks_that_do_not_fit_are_passed_over(store: SqliteStore, clock: Clock) -> None:
    """Two long texts may look the same from outside; what the client says is said in any case."""

    class Misfit(Counting):
        async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
            marks = (Mark(2, sig("MQ==")), Mark(1, sig("Mg==")), Mark(99, sig("Mw==")), Mark(4), Mark(-1, sig("NA==")))
            return dict.fromkeys(keys, msgpack.encode(Record(FAMILY, None, (), marks)))

    back = await refilled(Recall(Misfit(store), clock), [Text("abcdef")])
    assert back == (Text("ab", sig("MQ==")), Text("cd"), Text("ef"))


async def test_many_at_once(store: SqliteStore, clock: Clock) -> None:
    recalls = [Recall(store, clock) for _ in range(3)]

    async def converse(number: int) -> None:
        call = ToolCall("c", "f", "{}", sig(f"{number}"))
        signed(recalls[number % 3], [call, Text("x", sig(f"t{number}"))], caller=f"{number}")
        back = await refilled(recalls[(number + 1) % 3], [bare(call), Text("x")], caller=f"{number}")
        assert back == (call, Text("x", sig(f"t{number}")))

    await asyncio.gather(*(converse(number) for number in range(200)))


# ── what was refused ──


async def test_what_was_refused_is_put_back_no_more_in_any_process(path: Path, clock: Clock) -> None:
    parts = (CALL_1, Text("done", sig("dA==")))
    async with opened(path, clock) as store:
        recall = Recall(store, clock)
        signed(recall, parts)
        call = ask(ASK, model(stripped(parts)))
        filled = await recall.filled(call, ME, FAMILY, everything=True)
        assert filled.call.messages[1].parts == parts and len(filled.names) == 2
        recall.forget(filled.names)
        assert (await recall.filled(call, ME, FAMILY, everything=True)).call is call
        assert await refilled(Recall(store, clock), stripped(parts)) == tuple(stripped(parts))
    async with opened(path, clock) as store:
        recall = Recall(store, clock)
        assert await refilled(recall, stripped(parts)) == tuple(stripped(parts))
        signed(recall, parts)
        assert await refilled(recall, stripped(parts)) == parts, "signed anew"


async def test_only_what_was_put_back_is_named(recall: Recall) -> None:
    signed(recall, [CALL_1, CALL_3])
    filled = await recall.filled(ask(ASK, model([CALL_1, bare(CALL_3)])), ME, FAMILY, everything=True)
    assert filled.names == (key(ME, b"call", b"c3"),)


# ── long histories ──


async def _cpu_seconds(messages: Sequence[Message], clock: Clock) -> float:
    """The least of three."""
    call, took = ask(*messages), []
    for _ in range(3):
        began = process_time()
        await Recall(Forgetful(), clock).filled(call, ME, FAMILY, everything=True)
        took.append(process_time() - began)
    return min(took)


async def test_a_long_way_back_to_the_last_words_is_gone_once(clock: Clock) -> None:
    """Images at the end, the user's words at the beginning, and steps of tools between."""
    step = model([replace(CALL_2, id="")]), results(CALL_2)
    history = [ASK, *(step * 10_000), *(model([image("Y2F0")]) for _ in range(1_000))]
    assert await _cpu_seconds(history, clock) < 4


@pytest.mark.parametrize("kind", ["messages", "parts", "loose"])
async def test_the_time_grows_with_the_history_and_no_faster(kind: str, clock: Clock) -> None:
    def history(size: int) -> list[Message]:
        match kind:
            case "messages":
                return [ASK, *([model([Text("x"), bare(CALL_1)]), results(CALL_1), ASK] * size)]
            case "parts":
                return [ASK, model([bare(CALL_1), image("Y2F0"), Text("x")] * size)]
            case _:
                return [ASK, model([*([Text("", sig("dA==")), opaque("x")] * size), Text("x")])]

    short, long = await _cpu_seconds(history(2_000), clock), await _cpu_seconds(history(8_000), clock)
    assert long < 10 * max(short, 0.005), "four times the history"
