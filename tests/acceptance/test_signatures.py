"""Rows 1 to 7: thought signatures."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.grammar import CALL_ID
from tests.acceptance.playing import NEW, PATH, Played, answering, each_form, form, message, read
from tests.bed.gateway import running_gateway
from tests.bed.recordings import needs_recordings
from tests.bed.strict_gemini import LARGE, StrictGemini, call, image, step, text, thought
from tests.bed.upstream import FakeUpstream, part_chunk
from tests.bed.wire import fetch
from tests.e2e.bed import CALLER, OTHER, Bed, generate_path, running_bed

Json = dict[str, Any]
IMAGES = "gemini-3-pro-image"
USER: Json = {"role": "user", "content": "weather?"}
SIGNED: Json = {"functionCall": {"id": "a1", "name": "find", "args": {}}, "thoughtSignature": "c2lnbmVk"}


def bare(given: Json) -> Json:
    """A message as most clients keep it."""
    calls = [{name: one[name] for name in ("id", "type", "function")} for one in given.get("tool_calls") or []]
    return {"role": "assistant", "content": given.get("content")} | ({"tool_calls": calls} if calls else {})


def other(keep: Any) -> str:
    """Who asks next: a client that keeps all needs nothing that the gateway remembers of it."""
    return OTHER if keep is dict else CALLER


def results(given: Json) -> list[Json]:
    return [{"role": "tool", "tool_call_id": one["id"], "content": "fine"} for one in given["tool_calls"]]


async def ask(
    bed: Bed, strict: StrictGemini, *parts: Json, stream: bool, length: int = 120, key: str = CALLER, **body: Any
) -> Json:
    strict.will_say(step(*parts, signature_length=length))
    asked: Json = {"model": NEW} | form(stream=stream) | body
    made = read(await bed.chat(headers={"x-api-key": key}, **asked), stream=stream)
    return made["choices"][0]["message"]


@pytest.mark.acceptance(1)
@pytest.mark.parametrize("keep", [dict, bare], ids=["kept", "stripped"])
@pytest.mark.parametrize("length", [120, LARGE])
@each_form
async def test_a_signature_makes_the_round(
    bed: Bed, strict: StrictGemini, stream: bool, length: int, keep: Any
) -> None:
    calls = [call("find", q=1), call("find", q=2)]
    made = await ask(bed, strict, *calls, stream=stream, length=length, messages=[USER])
    if keep is dict:
        given = [one.get("extra_content") for one in made["tool_calls"]]
        assert given == [{"google": {"thought_signature": min(strict.signatures)}}, None]
    back = [USER, keep(made), *results(made)]
    await ask(bed, strict, text("fine"), stream=stream, key=other(keep), messages=back)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])
    parts = bed.up.last.json["contents"][1]["parts"]
    assert "thoughtSignature" in parts[0] and "thoughtSignature" not in parts[1]


@pytest.mark.acceptance(1)
@each_form
async def test_the_relay_keeps_every_byte(bed: Bed, stream: bool) -> None:
    document = part_chunk(SIGNED, finish="STOP")
    bed.up.answer(answering([document], stream=stream))
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    contents = [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [SIGNED]}]
    answered = await bed.ask("POST", generate_path(NEW, method), {"contents": contents})
    body = answered.body.removeprefix(b"data: ") if stream else answered.body
    assert json.loads(body) == document and bed.up.last.json == {"contents": contents}


MANGLED = {
    "cut": lambda given: given[:3],
    "lower": lambda given: given.lower(),
    "replaced": lambda given: "toolu_" + given.encode().hex(),
    "alphabet": lambda given: f"№{given}!",
    "long": lambda given: given + "x" * 1_000,
}


@pytest.mark.acceptance(2)
@pytest.mark.parametrize("how", MANGLED)
@each_form
async def test_a_mangled_id_never_ends_a_conversation(bed: Bed, strict: StrictGemini, stream: bool, how: str) -> None:
    made = await ask(bed, strict, call("find", q=1), call("find", q=2), stream=stream, messages=[USER])
    assert all(CALL_ID.fullmatch(one["id"]) for one in made["tool_calls"])
    back = bare(made)
    for number, one in enumerate(back["tool_calls"]):
        one["id"] = MANGLED[how](one["id"]) + ("" if how == "lower" else f"_{number}")
    again = await ask(bed, strict, text("fine"), stream=stream, messages=[USER, back, *results(back)])
    assert again["content"] == "fine" and strict.refusals == [] and strict.dummies == 1


@pytest.mark.acceptance(2)
@each_form
async def test_a_corrupted_signature_costs_one_retry(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    made = await ask(bed, strict, call("find", q=1), stream=stream, messages=[USER])
    back = bare(made)
    back["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "Y29ycnVwdA=="}}
    again = await ask(bed, strict, text("fine"), stream=stream, messages=[USER, back, *results(back)])
    assert again["content"] == "fine" and len(strict.refusals) == 1 and strict.dummies == 1


@pytest.mark.acceptance(3)
@pytest.mark.parametrize("given", ["", "x" * 949, "with spaces", "call:1/2", "same"])
@each_form
async def test_ids_are_short_and_hold_no_data(bed: Bed, stream: bool, given: str) -> None:
    secret = "c2VjcmV0" * 100
    calls = [{"id": given, "name": "find", "args": {}}, {"id": given, "name": "find", "args": {"n": 1}}]
    parts: list[Json] = [{"functionCall": one} for one in calls]
    parts[0]["thoughtSignature"] = secret
    made = await message(bed, part_chunk(*parts, finish="STOP"), stream=stream, model=NEW)
    ids = [one["id"] for one in made["tool_calls"]]
    assert len(set(ids)) == 2 and all(CALL_ID.fullmatch(one) for one in ids)
    assert not any(secret[:16] in one for one in ids)


@pytest.mark.acceptance(3)
async def test_data_in_ids_of_other_gateways_stops_here(bed: Bed) -> None:
    function = {"name": "find", "arguments": "{}"}
    long = f"call_1__thought__{'QUJD' * 300}"
    back = {"role": "assistant", "tool_calls": [{"id": long, "type": "function", "function": function}]}
    answered = await bed.chat(model=NEW, messages=[USER, back, *results(back)])
    assert answered.status == 200 and "__thought__" not in bed.up.last.body.decode()
    ids = [part["functionCall"].get("id", "") for part in bed.up.last.json["contents"][1]["parts"]]
    assert all(len(one) <= 40 for one in ids)


@pytest.mark.acceptance(3)
@needs_recordings
def test_ids_of_all_recordings(played: tuple[Played, ...]) -> None:
    made = [choice["message"] for each in played for one in each.completions for choice in one["choices"]]
    ids = [one["id"] for given in made for one in given.get("tool_calls") or []]
    assert len(ids) > 200 and all(CALL_ID.fullmatch(one) for one in ids)


@pytest.mark.acceptance(4)
@pytest.mark.parametrize("keep", [dict, bare], ids=["kept", "stripped"])
@each_form
async def test_texts_and_images_keep_their_own(bed: Bed, strict: StrictGemini, stream: bool, keep: Any) -> None:
    """The second edit works: each text and each of two images goes back with what it came with."""
    asked: list[Json] = [{"role": "user", "content": "draw"}]
    callers = [CALLER, other(keep)] * 2
    for wish, key in zip(("dark", "bright40", "more"), callers, strict=False):
        parts = [
            thought("hm"),
            text("Look: "),
            image("iVBORw0KGgoA" + wish),
            image("iVBORw0KGgoB" * 60 + wish),
            text("Good?"),
        ]
        made = await ask(bed, strict, *parts, stream=stream, key=key, model=IMAGES, messages=asked)
        asked += [keep(made), {"role": "user", "content": wish}]
    await ask(bed, strict, text("bye"), stream=stream, key=callers[-1], model=IMAGES, messages=asked)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])
    signed = [part for content in bed.up.last.json["contents"] for part in content["parts"] if len(part) > 1]
    assert len(signed) == 9 and {part["thoughtSignature"] for part in signed} <= strict.signatures


@pytest.mark.acceptance(4)
@pytest.mark.parametrize("keep", [dict, bare], ids=["kept", "stripped"])
@each_form
async def test_a_signed_text_comes_back_signed(bed: Bed, strict: StrictGemini, stream: bool, keep: Any) -> None:
    made = await ask(bed, strict, text("The sky is blue."), stream=stream, messages=[USER])
    messages = [USER, keep(made), {"role": "user", "content": "and at night?"}]
    await ask(bed, strict, text("black"), stream=stream, key=other(keep), messages=messages)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])


SERVED: tuple[Json, ...] = (
    {"toolCall": {"id": "s1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"q": "x"}}, "thoughtSignature": "QUFB"},
    {"toolResponse": {"id": "s1", "toolType": "GOOGLE_SEARCH_WEB", "response": {"r": 1}}, "thoughtSignature": "QkJC"},
    {"functionCall": {"id": "f1", "name": "find", "args": {}}, "thoughtSignature": "Q0ND"},
)


@pytest.mark.acceptance(5)
@each_form
async def test_traces_of_served_tools_are_never_merged(bed: Bed, stream: bool) -> None:
    function = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    tools = [function, {"type": "web_search"}]
    documents = [part_chunk(SERVED[0]), part_chunk(SERVED[1]), part_chunk(SERVED[2], finish="STOP")]
    made = await message(bed, *documents, stream=stream, model=NEW, messages=[USER], tools=tools)
    back = [USER, bare(made), *results(made)]
    assert (await bed.chat(model=NEW, messages=back, tools=tools)).status == 200
    sent = [dict(part) for part in bed.up.last.json["contents"][1]["parts"]]
    assert [part.get("thoughtSignature") for part in sent] == ["QUFB", "QkJC", "Q0ND"]
    assert sent[:2] == list(SERVED[:2])


MIXED: tuple[Json, ...] = (
    {"text": "I think.", "thought": True},
    {"text": "I say. "},
    {"text": "I think again.", "thought": True, "thoughtSignature": "QUFB"},
    {"text": "I say more.", "thoughtSignature": "QkJC"},
    {"text": ""},
)


@pytest.mark.acceptance(6)
@each_form
async def test_text_stays_text_and_thought_stays_thought(bed: Bed, stream: bool) -> None:
    chunks = [*(part_chunk(part) for part in MIXED[:-1]), part_chunk(MIXED[-1], finish="STOP")]
    made = await message(bed, *chunks, stream=stream, model=NEW)
    assert made["content"] == "I say. I say more."
    assert made["reasoning_content"] == "I think.I think again."


@pytest.mark.acceptance(6)
@needs_recordings
def test_text_and_thoughts_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        says = each.row.expected
        if says.media or says.finish_reason == "MALFORMED_FUNCTION_CALL" or _shows_more(each):
            continue
        for made in each.completions:
            given = made["choices"][0]["message"]
            seen += bool(says.thoughts)
            assert (given.get("content") or "") == says.text, each.row.id
            assert (given.get("reasoning_content") or "") == says.thoughts, each.row.id
    assert seen > 50


def _shows_more(each: Played) -> bool:
    """Code that ran is shown among the text."""
    return any(b"executableCode" in one or b"codeExecutionResult" in one for one in each.row.payloads())


ALIASES = f"""
[aliases]
"house-high" = "{NEW}"
"gemini-2.5-lookalike" = "{NEW}"
"gemini-3-lookalike" = "gemini-2.5-flash"
"""


@pytest.mark.acceptance(7)
async def test_abilities_come_from_the_table_not_from_the_name() -> None:
    """A name that only sounds like a generation, or like an effort, changes nothing."""
    tool_call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    back = [USER, {"role": "assistant", "tool_calls": [tool_call]}, *results({"tool_calls": [tool_call]})]
    with running_bed(toml=ALIASES) as bed:
        for name, model in (
            ("house-high", NEW),
            ("gemini-2.5-lookalike", NEW),
            ("gemini-3-lookalike", "gemini-2.5-flash"),
        ):
            assert (await bed.chat(model=name, messages=back)).status == 200
            assert f"/{model}:" in bed.up.last.path
            signed = "thoughtSignature" in bed.up.last.json["contents"][1]["parts"][0]
            assert signed == (model == NEW)
            assert "thinkingConfig" not in (bed.up.last.json.get("generationConfig") or {})


@pytest.mark.acceptance(7)
def test_a_conversation_survives_a_restart(tmp_path: Path) -> None:
    settings = {"GEMINI_API_KEYS": "A", "API_KEYS": CALLER, "GEMGATE_DATA_DIR": str(tmp_path)}
    with FakeUpstream.in_thread({"A"}) as up:
        strict = StrictGemini(up)
        strict.will_say(step(call("find", q=1)), step(text("fine")))

        def asked(messages: list[Json]) -> Json:
            with running_gateway(settings, upstream=up.base_url) as gateway:
                body = {"model": NEW, "messages": messages}
                headers = {"Authorization": f"Bearer {CALLER}"}
                reply, data = asyncio.run(fetch("POST", gateway.base_url + PATH, headers, body))
            assert reply.status == 200, data
            return json.loads(data)["choices"][0]["message"]

        made = asked([USER])
        assert asked([USER, bare(made), *results(made)])["content"] == "fine"
        assert (strict.refusals, strict.dummies) == ([], 0)
