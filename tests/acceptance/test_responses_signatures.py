"""Signatures and thoughts through Responses: with the items that come back, with ids alone, and without reasoning."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.test_media import IMAGES
from tests.acceptance.test_signatures import MANGLED
from tests.bed.strict_gemini import LARGE, StrictGemini, call, image, step, text, thought
from tests.e2e.bed import CALLER, OTHER, Bed
from tests.e2e.responses_reading import (
    ALONE,
    HELLO,
    NEW,
    PATH,
    THINKS,
    TOOL,
    Json,
    ask,
    each_form,
    of_kind,
    read,
    results,
    text_of,
)

Keep = Callable[[list[Json], Json], Json]
"""Tells what a client asks with next: of what it has asked so far, and the response to that."""


def items(asked: list[Json], made: Json) -> Json:
    """All items come back; nothing is stored."""
    return ALONE | {"input": [*asked, *made["output"]]}


def stripped(asked: list[Json], made: Json) -> Json:
    """What clients send that know no reasoning."""
    return ALONE | {"input": [*asked, *(item for item in made["output"] if item["type"] != "reasoning")]}


def by_id(asked: list[Json], made: Json) -> Json:
    return {"input": [], "previous_response_id": made["id"]}


each_keep = pytest.mark.parametrize("keep", [items, stripped, by_id])


async def step_on(
    bed: Bed, strict: StrictGemini, *parts: Json, stream: bool, length: int = 120, key: str = CALLER, **body: Any
) -> Json:
    strict.will_say(step(*parts, signature_length=length))
    asked: Json = {"model": NEW, "stream": stream} | THINKS | body
    return read(await ask(bed, key=key, **asked), stream=stream)


@pytest.mark.acceptance(1)
@each_keep
@pytest.mark.parametrize("length", [120, LARGE])
@pytest.mark.parametrize("thinks", [True, False], ids=["thinks", "silent"])
@each_form
async def test_a_signature_makes_the_round(
    bed: Bed, strict: StrictGemini, stream: bool, length: int, thinks: bool, keep: Keep
) -> None:
    parts = [*([thought("I need **data**.")] if thinks else []), call("find", q=1), call("find", q=2)]
    begun = {} if keep is by_id else ALONE
    made = await step_on(bed, strict, *parts, stream=stream, length=length, tools=[TOOL], **begun)
    assert len(of_kind(made, "function_call")) == 2
    follow = keep([HELLO], made)
    follow["input"] += results(made)
    key = OTHER if keep is items else CALLER  # who keeps all needs nothing that the gateway remembers
    await step_on(bed, strict, text("fine"), stream=stream, key=key, tools=[TOOL], **follow)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])
    sent = bed.up.last.json["contents"][1]["parts"]
    assert ["thoughtSignature" in part for part in sent if "functionCall" in part] == [True, False]


@pytest.mark.acceptance(2)
@pytest.mark.parametrize("keep", [items, stripped])
@pytest.mark.parametrize("how", MANGLED)
@each_form
async def test_a_mangled_id_never_ends_a_conversation(
    bed: Bed, strict: StrictGemini, stream: bool, how: str, keep: Keep
) -> None:
    made = await step_on(bed, strict, call("find", q=1), call("find", q=2), stream=stream, tools=[TOOL], **ALONE)
    for number, item in enumerate(of_kind(made, "function_call")):
        item["call_id"] = MANGLED[how](item["call_id"]) + ("" if how == "lower" else f"_{number}")
    follow = keep([HELLO], made)
    follow["input"] += results(made)
    again = await step_on(bed, strict, text("fine"), stream=stream, tools=[TOOL], **follow)
    assert text_of(again) == "fine" and strict.refusals == [] and strict.dummies <= 1


@pytest.mark.acceptance(2)
@each_form
async def test_a_corrupted_signature_costs_one_retry(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    made = await step_on(bed, strict, call("find", q=1), stream=stream, tools=[TOOL], **ALONE)
    (value,) = strict.signatures
    (sealed,) = of_kind(made, "reasoning")
    assert sealed["encrypted_content"].endswith(value)
    sealed["encrypted_content"] = sealed["encrypted_content"].removesuffix(value) + "Y29ycnVwdA=="
    follow = items([HELLO], made)
    follow["input"] += results(made)
    again = await step_on(bed, strict, text("fine"), stream=stream, tools=[TOOL], **follow)
    assert text_of(again) == "fine" and len(strict.refusals) == 1 and strict.dummies == 1


@pytest.mark.acceptance(2)
@each_form
async def test_reasoning_of_others_is_no_trouble(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    """A conversation that began elsewhere: what another service sealed, or nobody, goes no further."""
    summary = [{"type": "summary_text", "text": "as another thought"}]
    foreign: list[Json] = [
        {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAAAABpiiq0ovDY"},
        {"type": "reasoning", "id": "rs_2", "summary": [], "content": None},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "find", "arguments": '{"q":1}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "fine"},
    ]
    made = await step_on(bed, strict, text("fine"), stream=stream, input=[HELLO, *foreign], tools=[TOOL], **ALONE)
    assert text_of(made) == "fine" and strict.refusals == [] and strict.dummies == 1
    assert b"gAAAA" not in bed.up.last.body and b'thought"' not in bed.up.last.body


@pytest.mark.acceptance(3)
@each_form
async def test_ids_are_short_and_hold_nothing(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    made = await step_on(bed, strict, thought("hm"), call("find", q=1), stream=stream, length=LARGE, tools=[TOOL])
    ids = [made["id"], *(item["id"] for item in made["output"])]
    ids += [item["call_id"] for item in of_kind(made, "function_call")]
    for one in ids:
        assert len(one) <= 40 and one.replace("_", "").replace("-", "").isalnum() and one.isascii(), one
    assert len(set(ids)) == len(ids)


@pytest.mark.acceptance(4)
@each_keep
@each_form
async def test_texts_and_images_keep_their_own(bed: Bed, strict: StrictGemini, stream: bool, keep: Keep) -> None:
    """The second edit works: each text and each of two images goes back with what it came with."""
    asked: Json = {"model": IMAGES, "tools": [{"type": "image_generation"}]}
    follow: Json = {"input": [{"role": "user", "content": "draw"}]} | ({} if keep is by_id else ALONE)
    for wish in ("dark", "bright40", "more"):
        drawn = [image("iVBORw0KGgoA" + wish), image("iVBORw0KGgoB" * 60 + wish)]
        parts = [thought("hm"), text("Look: "), *drawn, text("Good?")]
        made = await step_on(bed, strict, *parts, stream=stream, **asked | follow)
        assert len(of_kind(made, "image_generation_call")) == 2
        follow = keep(follow["input"], made)
        follow["input"] = [*follow["input"], {"role": "user", "content": wish}]
    await step_on(bed, strict, text("bye"), stream=stream, **asked | follow)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])
    sent = [part for content in bed.up.last.json["contents"] for part in content["parts"]]
    signed = [part["thoughtSignature"] for part in sent if "thoughtSignature" in part]
    assert len(signed) == 9 and set(signed) <= strict.signatures


@pytest.mark.acceptance(4)
@each_keep
@each_form
async def test_a_signed_text_comes_back_signed(bed: Bed, strict: StrictGemini, stream: bool, keep: Keep) -> None:
    begun = {} if keep is by_id else ALONE
    made = await step_on(bed, strict, thought("hm"), text("The sky is blue."), stream=stream, **begun)
    follow = keep([HELLO], made)
    follow["input"] += [{"role": "user", "content": "and at night?"}]
    await step_on(bed, strict, text("black"), stream=stream, **follow)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])


@pytest.mark.acceptance(1)
async def test_what_is_kept_is_a_client_s_own_matter(bed: Bed, strict: StrictGemini) -> None:
    """An item that is referred to by its id stands for itself, with its signature."""
    made = await step_on(bed, strict, thought("hm"), call("find", q=1), stream=False, tools=[TOOL])
    given = [HELLO, *({"type": "item_reference", "id": item["id"]} for item in made["output"]), *results(made)]
    await step_on(bed, strict, text("fine"), stream=False, tools=[TOOL], input=given)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])
    answered = await bed.ask("GET", f"{PATH}/{made['id']}", key=OTHER)
    assert answered.status == 404
