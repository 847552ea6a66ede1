"""Anthropic's SDK, of both generations, told nothing but where the gateway is."""

from typing import Any

import pytest

from tests.bed.recordings import conversations, needs_recordings
from tests.bed.replay import recorded
from tests.bed.strict_gemini import call, step, text, thought
from tests.bed.upstream import error, json_reply, overloaded, part_chunk, sse
from tests.bed.upstream.generate import PIXEL
from tests.clients.anthropic_sdk import AnthropicSdk, Failed
from tests.clients.bed import PAGE, Bed, Json, grounded, parts, result_texts

MODEL = "claude-opus-4-8"
HELLO: Any = {"model": MODEL, "max_tokens": 2000, "messages": [{"role": "user", "content": "hello"}]}
FIND: Any = {
    "name": "find",
    "description": "Find a thing.",
    "input_schema": {"type": "object", "properties": {"q": {"type": "integer"}}, "required": ["q"]},
}
THINKING: Any = {"thinking": {"type": "adaptive", "display": "summarized"}}
ANSWERS = {
    "text": step(text("The sky is blue.")),
    "thought": step(thought("Let me see."), text("The sky is blue.")),
    "calls": step(thought("Hm."), text("I look."), call("find", q=1), call("find", q=2, more={"a": [1, None, "é"]})),
    "large signature": step(call("find", q=1), signature_length=100_000),
}
forms = pytest.mark.parametrize("form", ["create", "stream"])


def plain(message: Json) -> Json:
    """A message without what may differ between two answers of the same content."""
    opaque = {"id": "", "signature": ""}
    blocks = [one | {name: opaque[name] for name in opaque.keys() & one.keys()} for one in message["content"]]
    for block in blocks:
        assert block.pop("parsed_output", None) is None  # the newer SDK adds it to what it read from a stream
    return message | {"id": "", "content": blocks}


def said(message: Json) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def calls(message: Json) -> list[Json]:
    return [block for block in message["content"] if block["type"] == "tool_use"]


def answered(message: Json) -> list[Json]:
    """The two messages that follow on calls: the model's own as it came, and the results."""
    results = [
        {"type": "tool_result", "tool_use_id": one["id"], "content": f"r{one['input']}"} for one in calls(message)
    ]
    return [{"role": "assistant", "content": message["content"]}, {"role": "user", "content": results}]


def test_the_generation_is_the_one_it_is_called(shared: Bed, sdk: AnthropicSdk, request: pytest.FixtureRequest) -> None:
    generation = request.node.callspec.params["sdk"]
    assert sdk.does(shared, "version").startswith(f"{generation}.")


@forms
def test_a_message(shared: Bed, sdk: AnthropicSdk, form: str) -> None:
    shared.will_say(step(text("The sky is blue.")))
    made = sdk.does(shared, form, **HELLO, system="Be kind.")
    assert (made["type"], made["role"], made["stop_reason"]) == ("message", "assistant", "end_turn")
    assert said(made) == "The sky is blue." and made["model"] == MODEL
    assert made["usage"]["input_tokens"] == 9 and made["usage"]["output_tokens"] == 9
    assert [part["text"] for part in shared.asked[0]["systemInstruction"]["parts"]] == ["Be kind."]


@pytest.mark.parametrize("answer", ANSWERS)
def test_streamed_and_whole_are_one(shared: Bed, sdk: AnthropicSdk, answer: str) -> None:
    shared.will_say(*[ANSWERS[answer]] * 2)
    body: Any = HELLO | THINKING | {"tools": [FIND]}
    whole, streamed = (plain(sdk.does(shared, form, **body)) for form in ("create", "stream"))
    assert streamed == whole
    assert whole["stop_reason"] == ("tool_use" if calls(whole) else "end_turn")


def test_the_events_of_a_stream(shared: Bed, sdk: AnthropicSdk) -> None:
    shared.will_say(ANSWERS["calls"])
    events = sdk.does(shared, "events", **HELLO, **THINKING, tools=[FIND])
    kinds = [event["type"] for event in events if event["type"] != "ping"]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    begun = [event["index"] for event in events if event["type"] == "content_block_start"]
    assert begun == list(range(len(begun))) and len(begun) >= 4
    is_open: list[int] = []
    for event in events:
        if event["type"] == "content_block_start":
            assert is_open == []
            is_open.append(event["index"])
        elif event["type"] in ("content_block_delta", "content_block_stop"):
            assert is_open == [event["index"]]
            if event["type"] == "content_block_stop":
                is_open.clear()


def test_text_comes_in_pieces(shared: Bed, sdk: AnthropicSdk) -> None:
    shared.will_answer_first(sse([part_chunk({"text": "The "}), part_chunk({"text": "sky."}, finish="STOP")]))
    assert "".join(sdk.does(shared, "texts", **HELLO)) == "The sky."


@forms
def test_tools_make_the_round(shared: Bed, sdk: AnthropicSdk, form: str) -> None:
    shared.will_say(ANSWERS["calls"], step(call("find", q=3), signature_length=3_000), step(text("Found.")))
    asked = list(HELLO["messages"])
    for expected in (2, 1, 0):
        made = sdk.does(shared, form, **HELLO | {"messages": asked}, **THINKING, tools=[FIND])
        assert len(calls(made)) == expected
        asked += answered(made)
    assert said(made) == "Found."
    assert (shared.gemini.refusals, shared.gemini.dummies, shared.gemini.lost) == ([], 0, [])
    assert len(result_texts(shared.asked[-1])) == 3


def test_a_forced_tool(shared: Bed, sdk: AnthropicSdk) -> None:
    shared.will_say(step(call("find", q=1)))
    made = sdk.does(shared, "create", **HELLO, tools=[FIND], tool_choice={"type": "tool", "name": "find"})
    assert [one["input"] for one in calls(made)] == [{"q": 1}]
    calling = shared.asked[0]["toolConfig"]["functionCallingConfig"]
    assert (calling["mode"], calling["allowedFunctionNames"]) == ("ANY", ["find"])


def test_an_image(shared: Bed, sdk: AnthropicSdk) -> None:
    shared.will_say(step(text("A pixel.")))
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    made = sdk.does(shared, "create", **HELLO | {"messages": [{"role": "user", "content": content}]})
    assert said(made) == "A pixel."
    (sent,) = parts(shared.asked[0], "inlineData")
    assert sent["inlineData"] == {"mimeType": "image/png", "data": PIXEL}


def test_a_parsed_answer(shared: Bed, sdk: AnthropicSdk) -> None:
    shared.will_say(step(text('{"city": "Rome", "degrees": 21}')))
    assert sdk.does(shared, "parse", **HELLO) == {"city": "Rome", "degrees": 21}
    config = shared.asked[0]["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert set((config.get("responseJsonSchema") or config["responseSchema"])["properties"]) == {"city", "degrees"}


def test_counting(shared: Bed, sdk: AnthropicSdk) -> None:
    shared.up.answer(json_reply({"totalTokens": 77}), to="countTokens")
    counted = {name: value for name, value in HELLO.items() if name != "max_tokens"}
    assert sdk.does(shared, "count_tokens", **counted, system="Be kind.", tools=[FIND]) == 77


@forms
def test_a_search(shared: Bed, sdk: AnthropicSdk, form: str) -> None:
    told = grounded("It is sunny.", "weather in Rome")
    shared.will_answer_first(json_reply(told) if form == "create" else sse([told]))
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]
    made = sdk.does(shared, form, **HELLO, tools=tools)
    assert "googleSearch" in shared.asked[0]["tools"][0]
    used, found = (one for one in made["content"] if one["type"] in ("server_tool_use", "web_search_tool_result"))
    assert used["name"] == "web_search" and used["input"] == {"query": "weather in Rome"}
    assert found["tool_use_id"] == used["id"]
    assert [(page["url"], page["title"]) for page in found["content"]] == [(PAGE, "Rome today")]
    assert said(made) == "It is sunny." and made["stop_reason"] == "end_turn"
    cited = [one for block in made["content"] if block["type"] == "text" for one in block["citations"] or []]
    assert [(one["type"], one["url"]) for one in cited] == [("web_search_result_location", PAGE)]


def test_models(shared: Bed, sdk: AnthropicSdk) -> None:
    names = sdk.does(shared, "list_models", limit=5)
    assert len(names) == len(set(names)) > 5
    assert sdk.does(shared, "retrieve_model", model_id=names[-1]) == names[-1]


def failure(bed: Bed, sdk: AnthropicSdk, form: str, **how: Any) -> Json:
    with pytest.raises(Failed) as caught:
        sdk.does(bed, form, **HELLO | how)
    assert caught.value.error["request_id"]
    return caught.value.error


@forms
def test_a_wrong_key(bed: Bed, sdk: AnthropicSdk, form: str) -> None:
    found = failure(bed, sdk, form, key="wrong")
    assert (found["class"], found["status"]) == ("AuthenticationError", 401)
    assert found["told"]["type"] == "authentication_error" and bed.asked == []


@forms
@pytest.mark.parametrize(
    ("trouble", "status", "kind"),
    [
        (error(404, "models/x is not found for API version v1beta."), 404, "not_found_error"),
        (error(400, "contents is wrong"), 400, "invalid_request_error"),
        (
            error(400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
            400,
            "",
        ),
        (error(429, retry_delay="900s"), 429, "rate_limit_error"),
        (overloaded(), 529, "overloaded_error"),
    ],
    ids=["model", "request", "length", "quota", "load"],
)
def test_refusals(bed: Bed, sdk: AnthropicSdk, form: str, trouble: Any, status: int, kind: str) -> None:
    bed.up.script = None
    bed.up.always = trouble
    found = failure(bed, sdk, form, model="gemini-2.5-flash")
    assert found["status"] == status
    if kind:
        assert found["told"]["type"] == kind
    else:
        assert found["told"]["message"].startswith("prompt is too long: 1200000 tokens > 1048576 maximum")


@needs_recordings
def test_streams_of_all_recordings(shared: Bed, sdk: AnthropicSdk) -> None:
    """Acceptance 20: whatever Gemini has been recorded to say, the SDK puts it together without a complaint."""
    read = 0
    for row in conversations():
        shared.up.script = None
        shared.up.always = recorded(row, pieces=3)
        try:
            made = sdk.does(shared, "stream", **HELLO, **THINKING, tools=[FIND])
        except Failed:
            continue  # what is an error of the upstream stays one
        read += 1
        if not row.expected.media:
            assert said(made) == row.expected.text, row.id
        names = [one.get("name") for one in row.expected.calls]
        assert [one["name"] for one in calls(made)] == [name for name in names if name], row.id
        assert made["stop_reason"] is not None, row.id
    assert read > 1_000
