"""Responses with OpenAI's own SDKs, told nothing but where the gateway is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bed.recordings import conversations, needs_recordings
from tests.bed.replay import recorded
from tests.bed.strict_gemini import call, image, step, text, thought
from tests.bed.upstream import error, json_reply, overloaded, sse
from tests.bed.upstream.generate import PIXEL
from tests.clients.bed import PAGE, Bed, Json, grounded, parts, result_texts
from tests.clients.conftest import provided
from tests.clients.openai_sdk import GENERATIONS, Failed, OpenAISdk
from tests.e2e import bed as gateways

MODEL, ARTIST = "gemini-3.5-flash", "gemini-3.1-flash-image"
HELLO: Any = {"model": MODEL, "input": "hello"}
FIND: Any = {
    "type": "function",
    "name": "find",
    "description": "Find a thing.",
    "strict": False,
    "parameters": {"type": "object", "properties": {"q": {"type": "integer"}}, "required": ["q"]},
}
THINKING: Any = {"reasoning": {"effort": "low", "summary": "auto"}}
ALONE: Any = {"store": False, "include": ["reasoning.encrypted_content"]} | THINKING
ANSWERS = {
    "text": step(text("The sky is blue.")),
    "thought": step(thought("**Look**\n\nLet me see."), text("The sky is blue.")),
    "calls": step(thought("Hm."), text("I look."), call("find", q=1), call("find", q=2, more={"a": [1, None, "é"]})),
    "large signature": step(call("find", q=1), signature_length=100_000),
}
NEWEST = ("3.", "7.")
"""The newest versions of each language."""
WHOLE, STREAM = "responses.create", "stream"
forms = pytest.mark.parametrize("form", [WHOLE, STREAM])


@pytest.fixture(scope="module", params=GENERATIONS)
def sdk(request: pytest.FixtureRequest) -> Iterator[OpenAISdk]:
    generation = GENERATIONS[request.param]
    with OpenAISdk.running(generation, provided(request, generation.install)) as made:
        yield made


def needs(sdk: OpenAISdk, *features: str) -> None:
    lacking = sdk.generation.lacks & set(features)
    if lacking:
        pytest.skip(f"{sdk.generation.version}* has no {', '.join(lacking)}")


def made_of(sdk: OpenAISdk, bed: Any, form: str, **body: Any) -> Json:
    """The response that a client has in hand."""
    return sdk.does(bed, STREAM, **body) if form == STREAM else sdk.calls(bed, form, **body)


def of_kind(response: Json, kind: str) -> list[Json]:
    return [item for item in response["output"] if item["type"] == kind]


def said(response: Json) -> str:
    return "".join(part["text"] for item in of_kind(response, "message") for part in item["content"])


def summaries(response: Json) -> list[str]:
    return [part["text"] for item in of_kind(response, "reasoning") for part in item["summary"]]


def results(response: Json) -> list[Json]:
    calls = of_kind(response, "function_call")
    return [
        {"type": "function_call_output", "call_id": one["call_id"], "output": f"r{one['arguments']}"} for one in calls
    ]


def sent_back(response: Json) -> list[Json]:
    """What a client without a store of the service sends again: the items as they came."""
    return [{name: value for name, value in item.items() if value is not None} for item in response["output"]]


HELPERS = {"parsed", "parsed_arguments", "output_parsed", "output_text", "_request_id"}


def plain(value: Any) -> Any:
    """A response without what differs between two of the same content, and without what a helper adds."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    own = {"id", "created_at", "completed_at", "encrypted_content", "call_id"}
    kept = {name: plain(one) for name, one in value.items() if name not in own | HELPERS}
    return kept | ({"arguments": json.loads(kept["arguments"])} if "arguments" in kept else {})


def test_the_generation_is_the_one_it_is_called(shared: Bed, sdk: OpenAISdk) -> None:
    assert sdk.does(shared, "version").startswith(sdk.generation.version)


@forms
def test_a_response(shared: Bed, sdk: OpenAISdk, form: str) -> None:
    shared.will_say(step(text("The sky is blue.")))
    made = made_of(sdk, shared, form, **HELLO, instructions="Be kind.", metadata={"a": "b"})
    assert (made["object"], made["status"], made["error"], made["model"]) == ("response", "completed", None, MODEL)
    assert said(made) == made["output_text"] == "The sky is blue."
    assert made["instructions"] == "Be kind." and made["metadata"] == {"a": "b"}
    usage = made["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (9, 9, 18)
    assert usage["output_tokens_details"] == {"reasoning_tokens": 5}
    assert [part["text"] for part in shared.asked[0]["systemInstruction"]["parts"]] == ["Be kind."]


@pytest.mark.parametrize("answer", ANSWERS)
def test_streamed_and_whole_are_one(shared: Bed, sdk: OpenAISdk, answer: str) -> None:
    shared.will_say(*[ANSWERS[answer]] * 2)
    whole, streamed = (made_of(sdk, shared, form, **HELLO, **THINKING, tools=[FIND]) for form in (WHOLE, STREAM))
    assert plain(streamed) == plain(whole)
    assert whole["output"] and streamed["output_text"] == whole["output_text"]


def test_a_list_of_messages(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(step(text("You are Alice.")))
    asked = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "I am Alice."},
        {"role": "assistant", "content": "Hello Alice."},
        {"role": "user", "content": [{"type": "input_text", "text": "Who am I?"}]},
    ]
    assert said(sdk.calls(shared, WHOLE, model=MODEL, input=asked)) == "You are Alice."
    roles = [content["role"] for content in shared.asked[0]["contents"]]
    assert roles == ["user", "model", "user"] and "systemInstruction" in shared.asked[0]


def test_the_events_of_a_stream(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(ANSWERS["calls"])
    events = sdk.calls(shared, WHOLE, **HELLO, **THINKING, tools=[FIND], stream=True)
    names = [event["type"] for event in events]
    assert names[:2] == ["response.created", "response.in_progress"] and names[-1] == "response.completed"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert added == list(range(len(events[-1]["response"]["output"])))
    arguments = [event for event in events if event["type"] == "response.function_call_arguments.done"]
    assert [json.loads(event["arguments"])["q"] for event in arguments] == [1, 2]


def test_the_events_of_the_helper(shared: Bed, sdk: OpenAISdk) -> None:
    """It tells texts and arguments as far as they have come."""
    shared.will_say(ANSWERS["calls"])
    events = sdk.does(shared, "helper_events", **HELLO, **THINKING, tools=[FIND])
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(event["delta"] for event in deltas) == deltas[-1]["snapshot"] == "I look."
    pieces = [event for event in events if event["type"] == "response.function_call_arguments.delta"]
    assert {json.loads(event["snapshot"])["q"] for event in (pieces[0], pieces[-1])} == {1, 2}
    assert events[-1]["type"] == "response.completed"


# ── tools and reasoning ──


@forms
def test_tools_make_the_round_with_items(shared: Bed, sdk: OpenAISdk, form: str) -> None:
    """Nothing is stored, the items come back: each signature finds its part."""
    shared.will_say(ANSWERS["calls"], step(call("find", q=3), signature_length=3_000), step(text("Found.")))
    asked: list[Json] = [{"role": "user", "content": "find it"}]
    for expected in (2, 1, 0):
        made = made_of(sdk, shared, form, model=MODEL, input=asked, tools=[FIND], **ALONE)
        assert len(results(made)) == expected
        assert not expected or any(item.get("encrypted_content") for item in of_kind(made, "reasoning"))
        asked += sent_back(made) + results(made)
    assert said(made) == "Found."
    assert (shared.gemini.refusals, shared.gemini.dummies, shared.gemini.lost) == ([], 0, [])
    assert len(result_texts(shared.asked[-1])) == 3


def test_signatures_need_no_memory(bed: Bed, sdk: OpenAISdk) -> None:
    """They are in the items alone: another server, with nothing in its store, puts them where they belong."""
    bed.will_say(ANSWERS["calls"], step(text("Found.")))
    asked: list[Json] = [{"role": "user", "content": "find it"}]
    made = sdk.calls(bed, WHOLE, model=MODEL, input=asked, tools=[FIND], **ALONE)
    bed.restart(forget=True)
    asked += sent_back(made) + results(made)
    assert said(sdk.calls(bed, WHOLE, model=MODEL, input=asked, tools=[FIND], **ALONE)) == "Found."
    assert (bed.gemini.refusals, bed.gemini.dummies, bed.gemini.lost) == ([], 0, [])


@forms
def test_tools_make_the_round_with_ids(shared: Bed, sdk: OpenAISdk, form: str) -> None:
    shared.will_say(ANSWERS["calls"], step(call("find", q=3)), step(text("Found.")))
    made = made_of(sdk, shared, form, **HELLO, tools=[FIND])
    for _ in range(2):
        body = {"input": results(made), "previous_response_id": made["id"]}
        before, made = made, made_of(sdk, shared, form, model=MODEL, tools=[FIND], **body)
        assert made["previous_response_id"] == before["id"]
    assert said(made) == "Found."
    assert (shared.gemini.refusals, shared.gemini.dummies, shared.gemini.lost) == ([], 0, [])
    assert len(result_texts(shared.asked[-1])) == 3


@forms
def test_thoughts_are_told(shared: Bed, sdk: OpenAISdk, form: str) -> None:
    shared.will_say(ANSWERS["thought"])
    made = made_of(sdk, shared, form, **HELLO, **THINKING)
    assert "".join(summaries(made)).replace("\n", "") == "**Look**Let me see."
    assert said(made) == "The sky is blue."


def test_a_forced_tool(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(step(call("find", q=1)))
    made = sdk.calls(shared, WHOLE, **HELLO, tools=[FIND], tool_choice={"type": "function", "name": "find"})
    assert [json.loads(one["arguments"]) for one in of_kind(made, "function_call")] == [{"q": 1}]
    calling = shared.asked[0]["toolConfig"]["functionCallingConfig"]
    assert (calling["mode"], calling["allowedFunctionNames"]) == ("ANY", ["find"])


def test_a_custom_tool(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(step(call("note", input="two\nlines")), step(text("Noted.")))
    tools = [{"type": "custom", "name": "note", "description": "Take a note."}]
    made = sdk.calls(shared, WHOLE, **HELLO, tools=tools)
    (used,) = of_kind(made, "custom_tool_call")
    assert (used["name"], used["input"]) == ("note", "two\nlines")
    output = {"type": "custom_tool_call_output", "call_id": used["call_id"], "output": "fine"}
    body = {"model": MODEL, "input": [output], "previous_response_id": made["id"], "tools": tools}
    assert said(sdk.calls(shared, WHOLE, **body)) == "Noted."
    assert shared.gemini.refusals == []


# ── structure ──


@pytest.mark.parametrize("act", ["parse", "parse_stream"])
def test_a_parsed_answer(shared: Bed, sdk: OpenAISdk, act: str) -> None:
    shared.will_say(step(text('{"city": "Rome", "degrees": 21}')))
    assert sdk.does(shared, act, **HELLO) == {"city": "Rome", "degrees": 21}
    config = shared.asked[0]["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert set((config.get("responseJsonSchema") or config["responseSchema"])["properties"]) == {"city", "degrees"}


def test_parsed_arguments(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(step(call("report", city="Rome", degrees=21)))
    assert sdk.does(shared, "parse_call", **HELLO) == [{"city": "Rome", "degrees": 21}]


# ── media, searches, code ──


def test_an_image_in(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(step(text("A pixel.")))
    content = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
    ]
    made = sdk.calls(shared, WHOLE, model=MODEL, input=[{"role": "user", "content": content}])
    assert said(made) == "A pixel."
    (sent,) = parts(shared.asked[0], "inlineData")
    assert sent["inlineData"] == {"mimeType": "image/png", "data": PIXEL}


@forms
def test_an_image_out(shared: Bed, sdk: OpenAISdk, form: str) -> None:
    """It is drawn, and drawn again after it came back by its id."""
    shared.will_say(step(text("Here:"), image()), step(text("Again:"), image()))
    asked: Json = {"model": ARTIST, "tools": [{"type": "image_generation"}]}
    made = made_of(sdk, shared, form, **asked, input="draw")
    (drawn,) = of_kind(made, "image_generation_call")
    assert (drawn["result"], drawn["status"]) == (PIXEL, "completed")
    again = made_of(sdk, shared, form, **asked, input="bluer", previous_response_id=made["id"])
    assert of_kind(again, "image_generation_call")
    assert shared.gemini.refusals == [] and shared.gemini.lost == []
    assert [one["inlineData"]["data"] for one in parts(shared.asked[-1], "inlineData")] == [PIXEL]


@forms
def test_a_search(shared: Bed, sdk: OpenAISdk, form: str) -> None:
    told = grounded("It is sunny.", "weather in Rome")
    shared.will_answer_first(json_reply(told) if form == WHOLE else sse([told]))
    made = made_of(sdk, shared, form, **HELLO, tools=[{"type": "web_search"}])
    assert "googleSearch" in shared.asked[0]["tools"][0]
    (searched,) = of_kind(made, "web_search_call")
    assert (searched["status"], searched["action"]["query"]) == ("completed", "weather in Rome")
    (found,) = of_kind(made, "message")
    (cited,) = found["content"][0]["annotations"]
    assert (cited["type"], cited["url"], cited["title"]) == ("url_citation", PAGE, "Rome today")
    assert said(made)[cited["start_index"] : cited["end_index"]] == "It is sunny."


# ── what is kept ──


def test_a_response_is_kept_and_deleted(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(step(text("The sky is blue.")))
    made = sdk.calls(shared, WHOLE, **HELLO)
    again = sdk.calls(shared, "responses.retrieve", made["id"])
    assert again | {"_request_id": ""} == made | {"_request_id": ""}
    items = sdk.calls(shared, "responses.input_items.list", made["id"])
    assert [(item["role"], item["content"][0]["text"]) for item in items] == [("user", "hello")]
    sdk.calls(shared, "responses.delete", made["id"])
    with pytest.raises(Failed) as caught:
        sdk.calls(shared, "responses.retrieve", made["id"])
    assert (caught.value.error["class"], caught.value.error["status"]) == ("NotFoundError", 404)


def test_pages_of_input_items(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(step(text("fine")))
    asked = [{"role": "user", "content": f"line {number}"} for number in range(7)]
    made = sdk.calls(shared, WHOLE, model=MODEL, input=asked)
    for order, wanted in (("asc", asked), ("desc", asked[::-1])):
        items = sdk.calls(shared, "responses.input_items.list", made["id"], limit=3, order=order)
        assert [item["content"][0]["text"] for item in items] == [one["content"] for one in wanted]


def test_nothing_is_kept_unasked(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(step(text("fine")))
    made = sdk.calls(shared, WHOLE, **HELLO, store=False)
    assert made["store"] is False
    with pytest.raises(Failed) as caught:
        sdk.calls(shared, "responses.retrieve", made["id"])
    assert caught.value.error["status"] == 404


def test_a_conversation(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(step(text("Hello Alice.")), step(text("Alice.")))
    first = {"type": "message", "role": "user", "content": "I am Alice."}
    talk = sdk.calls(shared, "conversations.create", items=[first], metadata={"topic": "names"})
    assert (talk["object"], talk["metadata"]) == ("conversation", {"topic": "names"})
    for words in ("Hello.", "Who am I?"):
        made = sdk.calls(shared, WHOLE, model=MODEL, input=words, conversation=talk["id"])
        assert made["conversation"] == {"id": talk["id"]}
    assert said(made) == "Alice." and len(shared.asked[-1]["contents"]) >= 3
    items = sdk.calls(shared, "conversations.items.list", talk["id"], limit=2, order="asc")
    texts = [item["content"][0]["text"] for item in items]
    assert texts == ["I am Alice.", "Hello.", "Hello Alice.", "Who am I?", "Alice."]
    one = sdk.calls(shared, "conversations.items.retrieve", items[2]["id"], conversation_id=talk["id"])
    assert one["content"][0]["text"] == "Hello Alice."
    sdk.calls(shared, "conversations.items.delete", items[2]["id"], conversation_id=talk["id"])
    added = sdk.calls(shared, "conversations.items.create", talk["id"], items=[first])["data"]
    assert len(added) == 1 and added[0]["role"] == "user"
    assert sdk.calls(shared, "conversations.update", talk["id"], metadata={"topic": "x"})["metadata"] == {"topic": "x"}
    assert sdk.calls(shared, "conversations.retrieve", talk["id"])["metadata"] == {"topic": "x"}
    assert sdk.calls(shared, "conversations.delete", talk["id"])["deleted"] is True
    with pytest.raises(Failed) as caught:
        sdk.calls(shared, "conversations.retrieve", talk["id"])
    assert caught.value.error["status"] == 404


# ── in the background ──


def _waited_for(bed: Bed, sdk: OpenAISdk, response: Json) -> Json:
    """Poll as people do; the SDKs know no other way."""
    for _ in range(2_000):
        if response["status"] not in ("queued", "in_progress"):
            return response
        response = sdk.calls(bed, "responses.retrieve", response["id"])
    raise AssertionError("no end of it")


def test_work_in_the_background(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(ANSWERS["thought"])
    made = sdk.calls(shared, WHOLE, **HELLO, **THINKING, background=True)
    assert made["status"] in ("queued", "in_progress") and made["background"] is True
    done = _waited_for(shared, sdk, made)
    assert (done["id"], done["status"], said(done)) == (made["id"], "completed", "The sky is blue.")
    cancelled = sdk.calls(shared, "responses.cancel", made["id"])
    assert cancelled["status"] == "completed"


def test_a_stream_in_the_background_is_taken_up_again(shared: Bed, sdk: OpenAISdk) -> None:
    shared.will_say(ANSWERS["thought"])
    events = sdk.calls(shared, WHOLE, **HELLO, **THINKING, background=True, stream=True)
    assert [event["type"] for event in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert events[-1]["type"] == "response.completed"
    again = sdk.calls(shared, "responses.retrieve", events[0]["response"]["id"], stream=True, starting_after=4)
    assert again == events[5:]


# ── the rest ──


def test_counting(shared: Bed, sdk: OpenAISdk) -> None:
    needs(sdk, "input_tokens")
    shared.up.answer(json_reply({"totalTokens": 77}), to="countTokens")
    made = sdk.calls(shared, "responses.input_tokens.count", **HELLO, instructions="Be kind.", tools=[FIND])
    assert (made["object"], made["input_tokens"]) == ("response.input_tokens", 77)


def test_compaction(shared: Bed, sdk: OpenAISdk) -> None:
    needs(sdk, "compact")
    shared.will_say(step(text("They agreed on Tuesday.")), step(text("On Tuesday.")))
    asked = [{"role": "user", "content": "Tuesday?"}, {"role": "assistant", "content": "Agreed."}]
    made = sdk.calls(shared, "responses.compact", model=MODEL, input=asked)
    assert made["object"] == "response.compaction" and of_kind(made, "compaction")
    follow = [*sent_back(made), {"role": "user", "content": "When?"}]
    assert said(sdk.calls(shared, WHOLE, model=MODEL, input=follow)) == "On Tuesday."
    assert "They agreed on Tuesday." in json.dumps(shared.asked[-1]["contents"])


def test_the_client_that_does_not_block(shared: Bed, sdk: OpenAISdk) -> None:
    needs(sdk, "asynchronous")
    shared.will_say(*[ANSWERS["calls"]] * 2)
    whole, streamed = sdk.does(shared, "asynchronous", **HELLO, **THINKING, tools=[FIND])
    assert plain(whole) == plain(streamed) and len(results(whole)) == 2


def test_a_socket(shared: Bed, sdk: OpenAISdk) -> None:
    """Two turns on one connection, of which nothing is stored."""
    needs(sdk, "socket")
    shared.will_say(step(thought("Hm."), text("Where?")), step(text("Found.")))
    turns = [HELLO | ALONE, {"model": MODEL, "input": "go on", "previous": 0} | ALONE]
    first, second = sdk.does(shared, "socket", turns=turns)
    for events in (first, second):
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events[-1]["type"] == "response.completed"
    assert said(second[-1]["response"]) == "Found."
    assert (shared.gemini.refusals, shared.gemini.lost) == ([], [])
    assert len(shared.asked[-1]["contents"]) == 3


def test_a_socket_tells_of_errors_and_goes_on(shared: Bed, sdk: OpenAISdk) -> None:
    needs(sdk, "socket")
    if sdk.generation.version in ("6.", "7."):
        pytest.skip("this SDK tells of errors elsewhere than among events")
    shared.will_say(step(text("Found.")))
    turns = [HELLO | {"previous_response_id": "resp_none"}, HELLO]
    failed, second = sdk.does(shared, "socket", turns=turns)
    assert failed[-1]["type"] == "error" and failed[-1]["error"]["code"] == "previous_response_not_found"
    assert said(second[-1]["response"]) == "Found."


# ── refusals ──


def failure(bed: Any, sdk: OpenAISdk, form: str, *path: str, **how: Any) -> Json:
    with pytest.raises(Failed) as caught:
        sdk.does(bed, STREAM, **how) if form == STREAM else sdk.calls(bed, form, *path, **how)
    assert caught.value.error["request_id"]
    return caught.value.error


@pytest.fixture(scope="module")
def two_callers() -> Iterator[gateways.Bed]:
    with gateways.running_bed() as made:
        yield made


def test_responses_of_others_are_not_there(two_callers: gateways.Bed, sdk: OpenAISdk) -> None:
    mine: Json = {"key": gateways.CALLER}
    made = sdk.calls(two_callers, WHOLE, **HELLO, **mine)
    talk = sdk.calls(two_callers, "conversations.create", **mine)
    other: Json = {"key": gateways.OTHER}
    found = [
        failure(two_callers, sdk, method, made["id"], **other)
        for method in ("responses.retrieve", "responses.delete", "responses.cancel", "responses.input_items.list")
    ]
    found += [failure(two_callers, sdk, "conversations.retrieve", talk["id"], **other)]
    assert {(one["class"], one["status"]) for one in found} == {("NotFoundError", 404)}
    assert f"Response with id '{made['id']}' not found." in found[0]["told"]["message"]
    follow = failure(two_callers, sdk, WHOLE, **HELLO, previous_response_id=made["id"], **other)
    assert (follow["status"], follow["told"]["code"]) == (400, "previous_response_not_found")
    assert sdk.calls(two_callers, "responses.retrieve", made["id"], **mine)["id"] == made["id"]


@forms
def test_a_wrong_key(shared: Bed, sdk: OpenAISdk, form: str) -> None:
    found = failure(shared, sdk, form, **HELLO, key="wrong")
    assert (found["class"], found["status"]) == ("AuthenticationError", 401)
    assert found["told"]["code"] == "invalid_api_key" and shared.asked == []


LENGTH = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."


@forms
@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (error(404, "models/x is not found for API version v1beta."), 404, "model_not_found"),
        (error(400, "contents is wrong"), 400, None),
        (error(400, LENGTH), 400, "context_length_exceeded"),
    ],
    ids=["model", "request", "length"],
)
def test_refusals(shared: Bed, sdk: OpenAISdk, form: str, trouble: Any, status: int, code: str | None) -> None:
    shared.up.script = None
    shared.up.always = trouble
    found = failure(shared, sdk, form, model="gemini-2.5-flash", input="hello")
    assert found["status"] == status and (code is None or found["told"]["code"] == code), found


def test_what_may_be_asked_again(bed: Bed, sdk: OpenAISdk) -> None:
    bed.up.script = None
    asked: Json = {"model": "gemini-2.5-flash", "input": "hello"}
    for trouble, status in ((overloaded(), 503), (error(429, retry_delay="900s"), 429)):
        bed.up.always = trouble
        for form in (WHOLE, STREAM):
            assert failure(bed, sdk, form, **asked)["status"] == status


@needs_recordings
def test_streams_of_all_recordings(shared: Bed, sdk: OpenAISdk) -> None:
    """Acceptance 21: whatever Gemini has been recorded to say, the SDK puts it together; older ones a part of it."""
    rows = conversations()[:: 1 if sdk.generation.version in NEWEST else 20]
    read = 0
    for row in rows:
        shared.up.script = None
        shared.up.always = recorded(row, pieces=3)
        try:
            last = sdk.does(shared, "last_event", **HELLO, **THINKING, tools=[FIND], store=False)
        except Failed:
            continue  # what is an error of the upstream stays one
        if last["type"] == "response.failed":
            continue
        read += 1
        made = last["response"]
        if not row.expected.media:
            assert said(made) == row.expected.text, row.id
        names = [one.get("name") for one in row.expected.calls]
        assert [one["name"] for one in of_kind(made, "function_call")] == [name for name in names if name], row.id
        assert made["usage"]["output_tokens_details"]["reasoning_tokens"] >= 0, row.id
    assert read > len(rows) * 0.8
