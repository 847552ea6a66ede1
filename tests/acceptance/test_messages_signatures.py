"""Signatures and thoughts through Messages."""

from typing import Any

import pytest

from tests.acceptance.messages_playing import (
    DONE,
    TOOL,
    assistant,
    results,
    step_on,
)
from tests.acceptance.test_signatures import MANGLED, MIXED, SIGNED
from tests.bed.strict_gemini import LARGE, StrictGemini, call, image, text, thought
from tests.bed.upstream import part_chunk, sse
from tests.e2e.bed import CALLER, OTHER, Bed
from tests.e2e.messages_reading import (
    HELLO,
    NEW,
    THINKS,
    Json,
    ask,
    checked,
    each_form,
    of_kind,
    said,
    text_of,
)

IMAGES = "gemini-3-pro-image"


def kept(message: Json) -> list[Json]:
    return message["content"]


def stripped(message: Json) -> list[Json]:
    """What clients send that know no thinking."""
    return [block for block in message["content"] if block["type"] not in ("thinking", "redacted_thinking")]


each_keep = pytest.mark.parametrize("keep", [kept, stripped])


def other(keep: Any) -> str:
    """Who asks next: a client that keeps all needs nothing that the gateway remembers of it."""
    return OTHER if keep is kept else CALLER


@pytest.mark.acceptance(1)
@each_keep
@pytest.mark.parametrize("length", [120, LARGE])
@pytest.mark.parametrize("thinks", [True, False], ids=["thinks", "silent"])
@each_form
async def test_a_signature_makes_the_round(
    bed: Bed, strict: StrictGemini, stream: bool, length: int, thinks: bool, keep: Any
) -> None:
    parts = [*([thought("I need **data**.")] if thinks else []), call("find", q=1), call("find", q=2)]
    made = await step_on(bed, strict, *parts, stream=stream, length=length, tools=[TOOL])
    assert [block["type"] for block in made["content"]] == ["thinking", "tool_use", "tool_use"]
    assert made["content"][0]["thinking"] == ("I need **data**." if thinks else "")
    blocks = keep(made)
    history = [HELLO, assistant(*blocks), results(blocks)]
    await step_on(bed, strict, text("fine"), stream=stream, key=other(keep), messages=history, tools=[TOOL])
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])
    sent = bed.up.last.json["contents"][1]["parts"]
    assert ["thoughtSignature" in part for part in sent] == [True, False]


@pytest.mark.acceptance(1)
@each_form
async def test_a_client_that_wants_no_thinking_loses_nothing(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    off: Any = {"thinking": {"type": "disabled"}}
    made = await step_on(bed, strict, call("find", q=1), stream=stream, tools=[TOOL], **off)
    assert [block["type"] for block in made["content"]] == ["tool_use"]
    history = [HELLO, assistant(*made["content"]), results(made["content"])]
    await step_on(bed, strict, text("fine"), stream=stream, messages=history, tools=[TOOL], **off)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])


@pytest.mark.acceptance(2)
@each_keep
@pytest.mark.parametrize("how", MANGLED)
@each_form
async def test_a_mangled_id_never_ends_a_conversation(
    bed: Bed, strict: StrictGemini, stream: bool, how: str, keep: Any
) -> None:
    made = await step_on(bed, strict, call("find", q=1), call("find", q=2), stream=stream, tools=[TOOL])
    blocks = keep(made)
    for number, block in enumerate(blocks):
        if block["type"] == "tool_use":
            block["id"] = MANGLED[how](block["id"]) + ("" if how == "lower" else f"_{number}")
    history = [HELLO, assistant(*blocks), results(blocks)]
    again = await step_on(bed, strict, text("fine"), stream=stream, messages=history, tools=[TOOL])
    assert text_of(again) == "fine" and strict.refusals == [] and strict.dummies == 1


@pytest.mark.acceptance(2)
@each_form
async def test_a_corrupted_signature_costs_one_retry(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    made = await step_on(bed, strict, call("find", q=1), stream=stream, tools=[TOOL])
    blocks = kept(made)
    (value,) = strict.signatures
    assert blocks[0]["signature"].endswith(value)
    blocks[0]["signature"] = blocks[0]["signature"].removesuffix(value) + "Y29ycnVwdA=="
    history = [HELLO, assistant(*blocks), results(blocks)]
    again = await step_on(bed, strict, text("fine"), stream=stream, messages=history, tools=[TOOL])
    assert text_of(again) == "fine" and len(strict.refusals) == 1 and strict.dummies == 1


@pytest.mark.acceptance(2)
@each_form
async def test_thinking_of_others_is_no_trouble(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    """A conversation that began elsewhere: what another service signed, or nobody, goes no further."""
    foreign = [
        {"type": "thinking", "thinking": "as another thought", "signature": "EqoBCkgIAhABGAIiQA=="},
        {"type": "redacted_thinking", "data": "EqoBCkgIAhABGAIiQB=="},
        {"type": "thinking", "thinking": "unsigned", "signature": ""},
        {"type": "tool_use", "id": "toolu_01", "name": "find", "input": {"q": 1}},
    ]
    history = [HELLO, assistant(*foreign), results(foreign)]
    made = await step_on(bed, strict, text("fine"), stream=stream, messages=history, tools=[TOOL])
    assert text_of(made) == "fine" and strict.refusals == [] and strict.dummies == 1
    assert b"EqoB" not in bed.up.last.body and b'thought"' not in bed.up.last.body


@pytest.mark.acceptance(4)
@each_keep
@each_form
async def test_texts_and_images_keep_their_own(bed: Bed, strict: StrictGemini, stream: bool, keep: Any) -> None:
    """The second edit works: each text and each of two images goes back with what it came with."""
    history: list[Json] = [{"role": "user", "content": "draw"}]
    for wish in ("dark", "bright40", "more"):
        parts = [
            thought("hm"),
            text("Look: "),
            image("iVBORw0KGgoA" + wish),
            image("iVBORw0KGgoB" * 60 + wish),
            text("Good?"),
        ]
        made = await step_on(bed, strict, *parts, stream=stream, model=IMAGES, messages=history)
        history += [assistant(*keep(made)), {"role": "user", "content": wish}]
    await step_on(bed, strict, text("bye"), stream=stream, model=IMAGES, messages=history)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])
    signed = [part for content in bed.up.last.json["contents"] for part in content["parts"] if len(part) > 1]
    assert len(signed) == 9 and {part["thoughtSignature"] for part in signed} <= strict.signatures


@pytest.mark.acceptance(4)
@each_keep
@each_form
async def test_a_signed_text_comes_back_signed(bed: Bed, strict: StrictGemini, stream: bool, keep: Any) -> None:
    made = await step_on(bed, strict, thought("hm"), text("The sky is blue."), stream=stream)
    assert [block["type"] for block in made["content"]] == ["thinking", "text"], "the text is the last block"
    history = [HELLO, assistant(*keep(made)), {"role": "user", "content": "and at night?"}]
    await step_on(bed, strict, text("black"), stream=stream, messages=history)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])


# ── 6: thoughts and text ──


@pytest.mark.acceptance(6)
@each_form
async def test_text_stays_text_and_thought_stays_thought(bed: Bed, stream: bool) -> None:
    chunks = [*(part_chunk(part) for part in MIXED[:-1]), part_chunk(MIXED[-1], finish="STOP")]
    made = await said(bed, *chunks, stream=stream, model=NEW, **THINKS)
    assert text_of(made) == "I say. I say more."
    thinking = of_kind(made, "thinking")
    assert "".join(block["thinking"] for block in thinking) == "I think.I think again."
    assert all(block["signature"] for block in thinking)


@pytest.mark.acceptance(6)
async def test_the_signature_comes_before_the_end_of_its_block(bed: Bed) -> None:
    """And nothing of the block after it: some clients close their books there."""
    chunks = [part_chunk({"text": "one ", "thought": True}), part_chunk({"text": "two", "thought": True})]
    bed.up.answer(sse([*chunks, part_chunk(SIGNED), DONE]))
    events = checked((await ask(bed, stream=True, model=NEW, **THINKS)).body)
    of_first = [data for name, data in events if name.startswith("content_block") and data["index"] == 0]
    kinds = [data.get("delta", {}).get("type") or data["type"] for data in of_first]
    deltas = ["thinking_delta", "thinking_delta", "signature_delta"]
    assert kinds == ["content_block_start", *deltas, "content_block_stop"]
    assert of_first[-2]["delta"]["signature"].endswith(str(SIGNED["thoughtSignature"]))
