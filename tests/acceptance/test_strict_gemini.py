"""The strict fake refuses what it promises to refuse: without that, the rows on signatures prove nothing."""

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest

from tests.bed.strict_gemini import CORRUPTED, DUMMIES, ORDER, PAIRS, Json, StrictGemini, call, image, step, text
from tests.bed.upstream import FakeUpstream
from tests.bed.wire import fetch_json

MODEL, DRAWS = "gemini-3.5-flash", "gemini-3-pro-image"
USER = {"role": "user", "parts": [{"text": "go"}]}


@pytest.fixture
async def strict() -> AsyncIterator[StrictGemini]:
    async with FakeUpstream() as up:
        yield StrictGemini(up)


async def ask(strict: StrictGemini, *contents: Json, model: str = MODEL, **more: Any) -> tuple[int, Any]:
    url = f"{strict.up.base_url}/v1beta/models/{model}:generateContent?key=A"
    return await fetch_json("POST", url, body={"contents": list(contents)} | more)


async def said(strict: StrictGemini, *parts: Json, model: str = MODEL) -> Json:
    """What it says to the user, as a content to send back."""
    strict.will_say(step(*parts), step(text("fine")))
    status, made = await ask(strict, USER, model=model)
    assert status == 200
    return made["candidates"][0]["content"]


def answered(content: Json, response: Any = None) -> Json:
    calls = [part["functionCall"] for part in content["parts"]]
    fine = response or {"output": "fine"}
    parts = [{"functionResponse": {"id": one["id"], "name": one["name"], "response": fine}} for one in calls]
    return {"role": "user", "parts": parts}


async def refusal(strict: StrictGemini, *contents: Json, model: str = MODEL, **more: Any) -> str:
    status, made = await ask(strict, *contents, model=model, **more)
    assert status == 400 and strict.refusals == [made["error"]["message"]]
    return made["error"]["message"]


async def test_what_comes_back_untouched_is_taken(strict: StrictGemini) -> None:
    content = await said(strict, call("find"), call("measure"))
    assert ["thoughtSignature" in part for part in content["parts"]] == [True, False]
    status, _ = await ask(strict, USER, content, answered(content))
    assert (status, strict.refusals, strict.lost, strict.dummies) == (200, [], [], 0)


async def test_a_dummy_is_taken_and_counted(strict: StrictGemini) -> None:
    content = await said(strict, call("find"))
    content["parts"][0]["thoughtSignature"] = DUMMIES[0]
    status, _ = await ask(strict, USER, content, answered(content))
    assert (status, strict.dummies, len(strict.lost)) == (200, 1, 1)


async def test_calls_and_their_signatures(strict: StrictGemini) -> None:
    content = await said(strict, call("find"), call("measure"))
    signature = content["parts"][0]["thoughtSignature"]
    results = answered(content)

    async def refused(*signatures: str | None) -> str:
        strict.refusals.clear()
        made = deepcopy(content)
        for part, one in zip(made["parts"], signatures, strict=True):
            part.pop("thoughtSignature", None)
            part |= {"thoughtSignature": one} if one else {}
        return await refusal(strict, USER, made, results)

    assert "`find` in the `2.` content block is missing a `thought_signature`" in await refused(None, None)
    assert "missing" in await refused(None, signature)
    assert await refused(signature, signature) == CORRUPTED, "copied onto another call"
    assert await refused(signature, DUMMIES[0]) == CORRUPTED, "a dummy where none belongs"
    assert await refused("Zm9yZWlnbg==", None) == CORRUPTED
    strict.refusals.clear()
    assert await refusal(strict, USER, content, {"role": "user", "parts": results["parts"][:1]}) == PAIRS
    strict.refusals.clear()
    assert await refusal(strict, content, results) == ORDER


async def test_references_and_unknown_fields(strict: StrictGemini) -> None:
    content = await said(strict, call("find"))
    assert "#/a" in await refusal(strict, USER, content, answered(content, {"deep": [{"$ref": "#/a"}]}))
    strict.refusals.clear()
    assert "Unknown name" in await refusal(strict, USER, extraBody={})


async def test_texts_of_chat_models(strict: StrictGemini) -> None:
    content = await said(strict, text("fine"))
    bare = {"role": "model", "parts": [{"text": "fine"}]}
    assert (await ask(strict, USER, bare, USER))[0] == 200 and len(strict.lost) == 1
    content["parts"][0]["text"] = "changed"
    assert await refusal(strict, USER, content, USER) == CORRUPTED


async def test_images_must_keep_theirs(strict: StrictGemini) -> None:
    content = await said(strict, text("Look: "), image(), model=DRAWS)
    assert all("thoughtSignature" in part for part in content["parts"])
    del content["parts"][1]["thoughtSignature"]
    assert "missing a thought_signature" in await refusal(strict, USER, content, USER, model=DRAWS)


async def test_a_model_for_itself(strict: StrictGemini) -> None:
    strict.each_for_itself = True
    content = await said(strict, call("find"))
    assert await refusal(strict, USER, content, answered(content), model="gemini-3.1-pro-preview") == CORRUPTED
