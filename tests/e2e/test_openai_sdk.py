"""OpenAI's own SDK, with nothing but a base URL and a key."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest

from tests.bed.sent import check_sent
from tests.bed.upstream import Received, error, json_reply, not_found_model, overloaded, part_chunk, sse, text_chunks
from tests.e2e.bed import CALLER, FLASH, Bed

HELLO: Any = [{"role": "user", "content": "hello my friend"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


TOO_LONG = error(400, "The input token count (9) exceeds the maximum number of tokens allowed (8).")


@pytest.fixture(params=["/v1", "/gemini/v1", "/v1beta/openai"])
def client(bed: Bed, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=bed.url + request.param, api_key=CALLER, max_retries=0) as made:
        yield made


@pytest.fixture
def patient(bed: Bed) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=bed.url + "/v1", api_key=CALLER, max_retries=0) as made:
        yield made


def test_chat(client: openai.OpenAI, bed: Bed) -> None:
    made = client.chat.completions.create(
        model=FLASH, messages=HELLO, temperature=0.5, max_tokens=2000, stop="x", top_p=0.9
    )
    choice = made.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("echo: hello my friend", "stop")
    assert made.usage is not None and made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens
    assert made.model == FLASH and made._request_id and made._request_id.startswith("req_")
    config = bed.up.last.json["generationConfig"]
    assert config == {"temperature": 0.5, "maxOutputTokens": 2000, "stopSequences": ["x"], "topP": 0.9}
    assert check_sent(bed.up.requests, canonical=True) == 1


def test_a_conversation(patient: openai.OpenAI, bed: Bed) -> None:
    turns: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": [{"type": "text", "text": "three"}]},
    ]
    assert patient.chat.completions.create(model=FLASH, messages=turns).choices[0].message.content == "echo: three"
    sent = bed.up.last.json
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user"]
    assert [part["text"] for part in sent["systemInstruction"]["parts"]] == ["Be brief.", "Be kind."]
    assert {one["threshold"] for one in sent["safetySettings"]} == {"OFF"} and len(sent["safetySettings"]) >= 4
    assert check_sent(bed.up.requests, canonical=True) == 1


def test_a_stream(client: openai.OpenAI, bed: Bed) -> None:
    with client.chat.completions.create(model=FLASH, messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "echo: hello my friend"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert chunks[0].choices[0].delta.role == "assistant" and all(chunk.usage is None for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1
    assert bed.up.last.path.endswith(":streamGenerateContent")


def test_include_usage(patient: openai.OpenAI) -> None:
    made = patient.chat.completions.create(model=FLASH, messages=HELLO)
    options: Any = {"include_usage": True}
    chunks = list(patient.chat.completions.create(model=FLASH, messages=HELLO, stream=True, stream_options=options))
    assert chunks[-1].choices == [] and chunks[-1].usage == made.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_the_stream_helper(patient: openai.OpenAI) -> None:
    with patient.chat.completions.stream(model=FLASH, messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == "echo: hello my friend"


def _calls(names: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"functionCall": {"name": name, "args": args}} for name, args in names]
    parts[0]["thoughtSignature"] = "c2lnbmVk"
    return part_chunk(*parts, finish="STOP")


@pytest.mark.parametrize("stream", [False, True])
def test_a_round_of_tools(patient: openai.OpenAI, bed: Bed, stream: bool) -> None:
    """The SDK's own message goes back as it is: the signature must ride along."""
    document = _calls([("get_weather", {"city": "Rome"}), ("get_weather", {"city": "Oslo"})])
    bed.up.answer(sse([document]) if stream else json_reply(document))
    model = "gemini-3.5-flash"
    messages: Any = [{"role": "user", "content": "weather?"}]
    if stream:
        with patient.chat.completions.stream(model=model, messages=messages, tools=[WEATHER]) as events:
            list(events)
            choice = events.get_final_completion().choices[0]
    else:
        choice = patient.chat.completions.create(model=model, messages=messages, tools=[WEATHER]).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.tool_calls
    calls: list[Any] = list(choice.message.tool_calls)
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert len({call.id for call in calls}) == 2 and all(len(call.id) <= 40 for call in calls)
    back = choice.message.model_dump(exclude_none=True)
    for call in back["tool_calls"]:
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    back.pop("parsed", None)
    results = [{"role": "tool", "tool_call_id": call.id, "content": '{"sky": "blue"}'} for call in reversed(calls)]
    history: Any = [*messages, back, *results]
    said = patient.chat.completions.create(model=model, messages=history, tools=[WEATHER])
    assert "get_weather answered" in (said.choices[0].message.content or "")
    sent = bed.up.last.json["contents"]
    assert [content["role"] for content in sent] == ["user", "model", "user"]
    assert sent[1]["parts"][0]["thoughtSignature"] == "c2lnbmVk" and "thoughtSignature" not in sent[1]["parts"][1]
    assert [part["functionCall"]["args"]["city"] for part in sent[1]["parts"]] == ["Rome", "Oslo"]
    assert [part["functionResponse"]["response"] for part in sent[2]["parts"]] == [{"sky": "blue"}] * 2
    assert check_sent(bed.up.requests, canonical=True) == 2


@pytest.mark.parametrize(
    ("choice", "mode", "allowed"),
    [
        ("none", "NONE", None),
        ("required", "ANY", None),
        ({"type": "function", "function": {"name": "get_weather"}}, "ANY", ["get_weather"]),
    ],
)
def test_tool_choices(patient: openai.OpenAI, bed: Bed, choice: Any, mode: str, allowed: Any) -> None:
    made = patient.chat.completions.create(model=FLASH, messages=HELLO, tools=[WEATHER], tool_choice=choice)
    assert (made.choices[0].finish_reason == "tool_calls") == (mode == "ANY")
    config = bed.up.last.json["toolConfig"]["functionCallingConfig"]
    assert (config["mode"], config.get("allowedFunctionNames")) == (mode, allowed)
    assert check_sent(bed.up.requests, canonical=True) == 1


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.mark.parametrize("model", [FLASH, "gemini-3.5-flash"])
def test_parse(patient: openai.OpenAI, bed: Bed, model: str) -> None:
    document = part_chunk({"text": '{"name": "Ann", "age": 7}'}, finish="STOP")
    bed.up.answer(json_reply(document))
    made = patient.chat.completions.parse(model=model, messages=HELLO, response_format=Person)
    assert made.choices[0].message.parsed == Person(name="Ann", age=7)
    config = bed.up.last.json["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert "age" in json.dumps(config.get("responseJsonSchema") or config.get("responseSchema"))
    bed.up.answer(sse(text_chunks('{"name": "Bo', 'b", "age": 8}')))
    with patient.chat.completions.stream(model=model, messages=HELLO, response_format=Person) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Person(name="Bob", age=8)
    assert check_sent(bed.up.requests, canonical=True) == 2


def test_thoughts(patient: openai.OpenAI, bed: Bed) -> None:
    extra = {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}
    made = patient.chat.completions.create(model=FLASH, messages=HELLO, reasoning_effort="high", extra_body=extra)
    message: Any = made.choices[0].message
    assert message.reasoning_content == "**Thinking** about an echo."
    assert made.usage and made.usage.completion_tokens_details
    assert made.usage.completion_tokens_details.reasoning_tokens == 12
    assert bed.up.last.json["generationConfig"]["thinkingConfig"]["includeThoughts"] is True


def test_models(client: openai.OpenAI, bed: Bed) -> None:
    names = [model.id for model in client.models.list()]
    assert names == list(bed.up.routes.models)
    assert client.models.retrieve(FLASH).id == FLASH
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("trouble", "kind", "code"),
    [
        (not_found_model("x"), openai.NotFoundError, "model_not_found"),
        (error(429, retry_delay="9s"), openai.RateLimitError, "rate_limit_exceeded"),
        (error(400, "bad"), openai.BadRequestError, "invalid_value"),
        (
            error(400, "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        (error(403, "You may not."), openai.PermissionDeniedError, "permission_denied"),
        (overloaded(), openai.InternalServerError, "unavailable"),
    ],
)
def test_errors(patient: openai.OpenAI, bed: Bed, trouble: Any, kind: Any, code: str, stream: bool) -> None:
    bed.up.always = trouble
    with pytest.raises(kind) as caught:
        patient.chat.completions.create(model=f"gemini-{code}-{stream}", messages=HELLO, stream=stream)
    assert caught.value.code == code and caught.value.request_id.startswith("req_")
    if kind is openai.RateLimitError:
        assert caught.value.response.headers["retry-after"] == "9"


def test_a_wrong_key(bed: Bed) -> None:
    with openai.OpenAI(base_url=bed.url + "/v1", api_key="wrong", max_retries=0) as client:
        for ask in (lambda: client.chat.completions.create(model=FLASH, messages=HELLO), lambda: client.models.list()):
            with pytest.raises(openai.AuthenticationError) as caught:
                ask()
            assert caught.value.code == "invalid_api_key"


def test_a_broken_stream_raises(patient: openai.OpenAI, bed: Bed) -> None:
    bed.up.answer(sse(text_chunks("one", "two"), cut_after=1))
    said: list[str] = []
    with pytest.raises(openai.APIError, match="broke off"):
        for chunk in patient.chat.completions.create(model=FLASH, messages=HELLO, stream=True):
            said.append(chunk.choices[0].delta.content or "")
    assert "".join(said) == "one"


def test_the_sdks_own_retry_works(bed: Bed) -> None:
    """Told to come back after a while, the SDK does and gets its answer."""
    seen: list[str | None] = []

    def script(request: Received) -> Any:
        seen.append(request.key)
        return error(429, retry_delay="0.2s") if len(seen) <= 2 else None

    bed.up.script = script
    with openai.OpenAI(base_url=bed.url + "/v1", api_key=CALLER, max_retries=2) as client:
        made = client.chat.completions.create(model="gemini-comes-back", messages=HELLO)
    assert made.choices[0].message.content == "echo: hello my friend" and seen[:2] in (["A", "B"], ["B", "A"])


async def test_the_async_client(bed: Bed) -> None:
    async with openai.AsyncOpenAI(base_url=bed.url + "/v1", api_key=CALLER, max_retries=0) as client:
        made = await client.chat.completions.create(model=FLASH, messages=HELLO)
        assert made.choices[0].message.content == "echo: hello my friend"
        stream = await client.chat.completions.create(model=FLASH, messages=HELLO, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "echo: hello my friend"
        assert [model.id async for model in client.models.list()] == list(bed.up.routes.models)
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="", messages=HELLO)


async def test_leaving_a_stream_early(bed: Bed) -> None:
    bed.up.answer(sse(text_chunks("one", "two"), stall_after=1))
    async with openai.AsyncOpenAI(base_url=bed.url + "/v1", api_key=CALLER, timeout=10) as client:
        async with await client.chat.completions.create(model=FLASH, messages=HELLO, stream=True) as stream:
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
        assert await bed.up.last.gone.wait(5)
