"""Which upstream key is asked, which rests, and what the client is told when none is left."""

from collections.abc import Iterator

import pytest

from tests.bed.upstream import Answer, error, invalid_key, no_key, overloaded, sse, suspended_key, text_chunks
from tests.e2e.bed import FLASH, NATIVE, Bed, generate_path, running_bed

QUOTA = error(429, "slow down", retry_delay="30s", quota_id="GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
SSE = "streamGenerateContent"


@pytest.fixture(scope="module")
def module_bed() -> Iterator[Bed]:
    with running_bed(keys="A,B,C") as bed:
        yield bed


def _keys(bed: Bed) -> list[str | None]:
    return [request.key for request in bed.up.requests]


async def _ways(bed: Bed, model: str) -> list[tuple[int, str | None]]:
    """Ask for a model in all four ways."""
    answers = [
        await bed.chat(model=model),
        await bed.chat(model=model, stream=True),
        await bed.native(model),
        await bed.ask("POST", generate_path(model, SSE) + "?alt=sse", NATIVE),
    ]
    return [(answer.status, answer.header("x-gemgate-attempts")) for answer in answers]


async def test_keys_take_turns(bed: Bed) -> None:
    for _ in range(6):
        assert (await bed.native()).status == 200
    keys = _keys(bed)
    assert sorted(keys[:3], key=str) == ["A", "B", "C"] and keys[:3] == keys[3:]
    bed.up.reset()
    assert await _ways(bed, FLASH) == [(200, "1")] * 4
    assert len(set(_keys(bed)[:3])) == 3


async def test_a_used_up_key_rests_for_that_model_only(bed: Bed) -> None:
    bed.up.answer_key("A", QUOTA)
    seen = [told for _ in range(3) for told in await _ways(bed, "gemini-rests")]
    assert seen.count((200, "1")) == 11 and seen.count((200, "2")) == 1
    tried = [request.key for request in bed.up.calls("gemini-rests:")]
    assert tried.count("A") == 1, "a key that asked for a rest was asked again"
    assert {"B", "C"} < set(tried)
    bed.up.answer_key("A", None)
    bed.up.requests.clear()
    for _ in range(3):
        await bed.native("gemini-other")
    assert "A" in _keys(bed), "another model on the same key has its own quota"


@pytest.mark.parametrize("trouble", [QUOTA, error(429), overloaded(), error(500), error(502)])
@pytest.mark.parametrize("way", range(4))
async def test_trouble_leads_to_another_key(bed: Bed, trouble: Answer, way: int) -> None:
    model = f"gemini-t-{id(trouble)}-{way}"
    bed.up.answer(trouble)
    answer = [
        lambda: bed.chat(model=model),
        lambda: bed.chat(model=model, stream=True),
        lambda: bed.native(model),
        lambda: bed.ask("POST", generate_path(model, SSE), NATIVE),
    ][way]
    got = await answer()
    assert (got.status, got.header("x-gemgate-attempts")) == (200, "2")
    first, second = _keys(bed)
    assert first != second


async def test_count_tokens_moves_on_too(bed: Bed) -> None:
    bed.up.answer(QUOTA)
    answer = await bed.ask("POST", generate_path("gemini-counts", "countTokens"), NATIVE)
    assert (answer.status, answer.header("x-gemgate-attempts")) == (200, "2")


async def test_an_error_as_first_event_leads_to_another_key(bed: Bed) -> None:
    document = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    bed.up.answer(sse([document]))
    answer = await bed.chat(model="gemini-early", stream=True)
    assert (answer.status, answer.header("x-gemgate-attempts")) == (200, "2")
    assert b"overloaded" not in answer.body and answer.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("code", [400, 403, 404, 413])
async def test_a_clients_fault_touches_no_key(bed: Bed, code: int) -> None:
    for _ in range(2):
        bed.up.reset()
        bed.up.answer(error(code, "your fault"))
        answer = await bed.native("gemini-faulty")
        assert (answer.status, answer.header("x-gemgate-attempts")) == (code, "1")
        for _ in range(3):
            assert (await bed.native("gemini-faulty")).status == 200
        keys = _keys(bed)
        assert len(set(keys[:3])) == 3 and keys[3] == keys[0], "the turn was changed by a client's fault"


async def test_no_retry_after_the_first_byte(bed: Bed) -> None:
    events = text_chunks("one", "two", "three")
    for way in ("chat", "native"):
        bed.up.reset()
        bed.up.answer(sse(events, cut_after=1))
        if way == "chat":
            answer = await bed.chat(stream=True)
        else:
            answer = await bed.ask("POST", generate_path(FLASH, SSE) + "?alt=sse", NATIVE)
        assert answer.status == 200 and b"one" in answer.body and b'"error"' in answer.body
        assert len(bed.up.requests) == 1
    later = {"error": {"code": 503, "message": "in the middle", "status": "UNAVAILABLE"}}
    bed.up.answer(sse([events[0], later]))
    answer = await bed.chat(stream=True)
    assert b"in the middle" in answer.body and len(bed.up.requests) == 2


# ── keys that do not work ──


@pytest.mark.parametrize("trouble", [invalid_key(), suspended_key(), error(401), no_key()])
async def test_a_key_that_is_refused_is_left_out_for_every_model(trouble: Answer) -> None:
    with running_bed(keys="A,B") as bed:
        bed.up.answer_key("A", trouble)
        for number in range(6):
            answer = await (bed.chat(model=f"gemini-{number}") if number % 2 else bed.native(f"gemini-{number}"))
            assert answer.status == 200
        assert _keys(bed).count("A") == 1 and _keys(bed).count("B") == 6


async def test_an_unknown_key_beside_a_good_one() -> None:
    with running_bed(keys="bad,A") as bed:
        for _ in range(4):
            assert (await bed.native()).status == 200
        assert _keys(bed) == ["bad", "A", "A", "A", "A"]
        bed.up.requests.clear()
        assert (await bed.ask("GET", "/v1/models")).status == 200


@pytest.mark.parametrize("what", ["models", "cache", "upload", "interaction"])
async def test_resources_move_on_from_a_bad_key(what: str) -> None:
    upload = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    method, path, body, headers = {
        "models": ("GET", "/v1beta/models", None, {}),
        "cache": ("POST", "/v1beta/cachedContents", {"model": f"models/{FLASH}", **NATIVE}, {}),
        "upload": ("POST", "/upload/v1beta/files", {"file": {}}, upload),
        "interaction": ("POST", "/v1beta/interactions", {"model": FLASH, "input": "hi"}, {}),
    }[what]
    with running_bed(keys="bad,A") as bed:
        for attempts in ("2", "1", "1"):
            made = await bed.ask(method, path, body, headers)
            assert (made.status, made.header("x-gemgate-attempts")) == (200, attempts)
        assert _keys(bed) == ["bad", "A", "A", "A"]


# ── none left ──


async def test_all_used_up(bed: Bed) -> None:
    bed.up.always = QUOTA
    model = "gemini-empty"
    native = await bed.native(model)
    assert (native.status, native.error["status"], native.header("retry-after")) == (429, "RESOURCE_EXHAUSTED", "30")
    assert sorted(_keys(bed), key=str) == ["A", "B", "C"]
    bed.up.requests.clear()
    # Now all of them rest: nobody is asked.
    native, chat, streamed = (
        await bed.native(model),
        await bed.chat(model=model),
        await bed.chat(model=model, stream=True),
    )
    assert bed.up.requests == []
    for answer in (native, chat, streamed):
        assert answer.status == 429 and 25 <= int(answer.header("retry-after") or 0) <= 30
        assert (answer.header("x-gemgate-upstream"), answer.header("x-gemgate-attempts")) == ("none", "0")
    assert native.error["status"] == "RESOURCE_EXHAUSTED"
    assert native.error["details"][0]["retryDelay"] == f"{native.header('retry-after')}s"
    for answer in (chat, streamed):
        assert (answer.error["type"], answer.error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        assert f"try again in {answer.header('retry-after')}s" in answer.error["message"]


@pytest.mark.parametrize("stream", [False, True])
async def test_all_used_up_in_chat(bed: Bed, stream: bool) -> None:
    bed.up.always = QUOTA
    answer = await bed.chat(model=f"gemini-drained-{stream}", stream=stream)
    assert (answer.status, answer.error["code"]) == (429, "rate_limit_exceeded")
    assert answer.header("retry-after") == "30" and answer.header("x-gemgate-attempts") == "3"
    assert "try again in 30s" in answer.error["message"]


async def test_a_days_quota_rests_for_long(bed: Bed) -> None:
    bed.up.always = error(
        429, "used up", quota_id="GenerateRequestsPerDayPerProjectPerModel-FreeTier", retry_delay="3s"
    )
    await bed.native("gemini-daily")
    answer = await bed.native("gemini-daily")
    assert answer.status == 429 and int(answer.header("retry-after") or 0) > 3


@pytest.mark.parametrize(("trouble", "status", "attempts"), [(overloaded(), 503, 3), (error(500, "oops"), 500, 2)])
async def test_a_broken_service_is_told_in_the_end(trouble: Answer, status: int, attempts: int) -> None:
    with running_bed(keys="A,B", toml="[gemini]\nmax_attempts = 3\n") as bed:
        bed.up.always = trouble
        native = await bed.native()
        assert (native.status, native.header("x-gemgate-attempts"), len(bed.up.requests)) == (
            status,
            str(attempts),
            attempts,
        )
        assert native.error["status"] == ("UNAVAILABLE" if status == 503 else "INTERNAL")
        for stream in (False, True):
            chat = await bed.chat(stream=stream)
            assert (chat.status, chat.error["type"]) == (status, "server_error")
        bed.up.always = None
        assert (await bed.chat()).status == 200, "a guess of ours has taken the keys away"


async def test_chat_and_native_share_the_keys_state(bed: Bed) -> None:
    bed.up.answer_key("A", QUOTA)
    for _ in range(3):
        await bed.native("gemini-shared")
    bed.up.requests.clear()
    for _ in range(4):
        assert (await bed.chat(model="gemini-shared")).status == 200
    assert "A" not in _keys(bed)


async def test_a_bad_key_does_not_hide_the_models() -> None:
    with running_bed(keys="bad1,A") as bed:
        listed = await bed.ask("GET", "/v1/models")
        assert "gemini-2.5-flash" in {one["id"] for one in listed.json["data"]}
        assert [request.key for request in bed.up.requests] == ["bad1", "A"]


@pytest.mark.parametrize("missing", ["model", "messages"])
async def test_what_is_missing_is_named(bed: Bed, missing: str) -> None:
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "hi"}]}
    del body[missing]
    answer = await bed.ask("POST", "/v1/chat/completions", body)
    assert (answer.status, answer.error["param"]) == (400, missing)
