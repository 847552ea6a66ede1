"""The forms that one answer may have, streamed and whole alike, in the shapes that the official SDK knows."""

import base64
import json
import wave
from io import BytesIO
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gemgate.hub.codec import Writer
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citation,
    Citations,
    Event,
    Finish,
    Logprobs,
    ResponseStart,
    TokenLogprob,
    Usage,
)
from gemgate.hub.parts import Code, Inline, Media, Text, ToolCall
from gemgate.protocols.openai_chat.inbound import inbound
from gemgate.protocols.openai_chat.style import Style
from gemgate.protocols.openai_chat.writer import ChatWriter
from tests.protocols.openai_chat.asking import HI, Json, assistant, parse
from tests.protocols.replaying import accumulated, chat_stream, chat_whole, comparable, identity

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(30))).decode()
IMAGE = Media("image/png", Inline(PNG))
DATA_URL = f"data:image/png;base64,{PNG}"


def reply(*made: Event, usage: Usage | None = None, calls: bool = False) -> list[list[Event]]:
    end: list[Event] = [usage or Usage(), Finish(0, "tool_calls" if calls else "stop", "STOP")]
    return [[ResponseStart("", "")], *([event] for event in made), end]


def blocks(*parts: Any) -> list[Event]:
    return [event for part in parts for event in (BlockStart(0, part), BlockEnd(0))]


def both(batches: list[list[Event]], style: Style, *, validated: bool = True) -> Json:
    """The one choice, streamed and whole alike."""
    chunks, whole = chat_stream(batches, style=style), chat_whole(batches, style=style)
    for chunk in chunks if validated else ():
        ChatCompletionChunk.model_validate(chunk)
    ChatCompletion.model_validate(whole)
    assert comparable(accumulated(chunks)) == comparable(whole)
    return whole["choices"][0]


def style_of(**fields: Any) -> Style:
    """The style that a request asks for."""
    writer: Writer = parse(**fields).write(identity())
    assert isinstance(writer, ChatWriter)
    return writer._style  # pyright: ignore[reportPrivateUsage]


def test_images_stand_in_one_place_only() -> None:
    """Issue B 6: markdown by default, `images` where asked for, never both."""
    batches = reply(*blocks(Text("see"), IMAGE, Text("and"), IMAGE))
    message = both(batches, Style())["message"]
    assert message["content"] == f"see\n![image]({DATA_URL})\nand\n![image]({DATA_URL})\n" and "images" not in message
    message = both(batches, Style(images="field"))["message"]
    assert message["content"] == "seeand"
    assert [(image["index"], image["image_url"]["url"]) for image in message["images"]] == [
        (0, DATA_URL),
        (1, DATA_URL),
    ]


def test_who_asks_for_which() -> None:
    assert style_of().images == "content"
    for modalities in (["image"], ["text", "image"], ["IMAGE", "TEXT"]):
        assert style_of(modalities=modalities).images == "field"
    body = json.dumps({"model": "m", "messages": [HI]}).encode()
    writer = inbound(body, images="field").write(identity())
    assert isinstance(writer, ChatWriter) and writer._style.images == "field"  # pyright: ignore[reportPrivateUsage]
    assert style_of(stream_options={"include_usage": True}).include_usage


CALLS = (ToolCall("c1", "sql", '{"input":"SELECT 1"}'), ToolCall("c2", "f", '{"a":1}'))


def test_custom_tools_are_called_with_text() -> None:
    style = style_of(tools=[{"type": "custom", "custom": {"name": "sql"}}])
    assert style.custom == {"sql"}
    for events in (
        blocks(*CALLS),
        [
            *(BlockStart(0, ToolCall("c1", "sql", "")), BlockDelta(0, '{"input":'), BlockDelta(0, '"SELECT 1"}')),
            *(BlockEnd(0), *blocks(CALLS[1])),
        ],
    ):
        # The SDK's chunks know no custom calls, only its whole answers do.
        choice = both(reply(*events, calls=True), style, validated=False)
        first, second = choice["message"]["tool_calls"]
        assert first == {"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
        assert second["function"] == {"name": "f", "arguments": '{"a":1}'} and choice["finish_reason"] == "tool_calls"
        back = assistant(content=None, tool_calls=[first, second])
        assert [json.loads(call.arguments) for call in back if isinstance(call, ToolCall)] == [
            {"input": "SELECT 1"},
            {"a": 1},
        ]


@pytest.mark.parametrize("arguments", ["[1]", '{"a": 1}', '{"input": 5}', "{"])
def test_arguments_that_are_no_text_are_shown_as_they_are(arguments: str) -> None:
    choice = both(reply(*blocks(ToolCall("c", "sql", arguments))), Style(custom=frozenset({"sql"})), validated=False)
    assert choice["message"]["tool_calls"][0]["custom"]["input"] == arguments


def test_functions_of_old() -> None:
    style = style_of(functions=[{"name": "f"}])
    assert style.legacy_calls and not style_of(functions=[{"name": "f"}], tools=[{"googleSearch": {}}]).legacy_calls
    pieces = [BlockStart(0, ToolCall("c", "f", "")), BlockDelta(0, '{"a":'), BlockDelta(0, "1}"), BlockEnd(0)]
    for events in (blocks(ToolCall("c", "f", '{"a":1}')), pieces, [*pieces, *blocks(ToolCall("d", "g", "{}"))]):
        choice = both(reply(*events, calls=True), style)
        assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
        assert choice["finish_reason"] == "function_call" and "tool_calls" not in choice["message"]


TOKENS = (
    TokenLogprob("é", -0.5, (TokenLogprob("é", -0.5), TokenLogprob("e", -2.0))),
    TokenLogprob("!", float("-inf")),
)


def test_log_probabilities() -> None:
    """In the SDK's shape, with or after their text."""
    events = [
        BlockStart(0, Text("é")),
        Logprobs(0, TOKENS[:1]),
        BlockDelta(0, "!"),
        BlockEnd(0),
        Logprobs(0, TOKENS[1:]),
    ]
    choice = both(reply(*events), Style())
    assert choice["message"]["content"] == "é!"
    first, second = choice["logprobs"]["content"]
    assert (first["token"], first["logprob"], first["bytes"]) == ("é", -0.5, [0xC3, 0xA9])
    assert [item["token"] for item in first["top_logprobs"]] == ["é", "e"]
    assert second == {"token": "!", "logprob": -9999.0, "bytes": [33], "top_logprobs": []}
    assert choice["logprobs"]["refusal"] is None
    assert both(reply(*blocks(Text("a"))), Style())["logprobs"] is None


def test_sources_come_once_at_the_end() -> None:
    """Acceptance 22: from every chunk, in characters of the content, and in one list, which the SDK insists on."""
    first, second = Citation("https://a", "A", 0, 2), Citation("https://b", "B", 3, 5)
    events = [
        *(BlockStart(0, Text("💎a")), Citations(0, (first,)), BlockEnd(0)),
        *blocks(Code("", "python", "1")),
        *(BlockStart(0, Text(" bc")), Citations(0, (first, second)), BlockEnd(0)),
    ]
    batches = reply(*events)
    message = both(batches, Style())["message"]
    found = [item["url_citation"] for item in message["annotations"]]
    assert [(item["url"], item["title"]) for item in found] == [("https://a", "A"), ("https://b", "B")]
    assert [message["content"][item["start_index"] : item["end_index"]] for item in found] == ["💎a", "bc"]
    deltas = [choice["delta"] for chunk in chat_stream(batches) for choice in chunk["choices"]]
    assert sum("annotations" in delta for delta in deltas) == 1


SAMPLES = bytes(range(50))


@pytest.mark.parametrize("cuts", [[50], [2, 50], [1, 3, 4, 30, 50], [6, 12, 50]])
def test_sound(cuts: list[int]) -> None:
    """Pieces put together are the sound, whether a client decodes each of them or all at once."""
    pieces = [SAMPLES[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]
    kind = "audio/L16;codec=pcm;rate=24000"
    batches = reply(*blocks(*(Media(kind, Inline(base64.b64encode(piece).decode())) for piece in pieces)))
    choice = both(batches, Style())
    assert base64.b64decode(choice["message"]["audio"]["data"]) == SAMPLES and choice["finish_reason"] == "stop"
    deltas = [choice["delta"].get("audio", {}) for chunk in chat_stream(batches) for choice in chunk["choices"]]
    decoded = [base64.b64decode(delta["data"]) for delta in deltas if "data" in delta]
    assert b"".join(decoded) == SAMPLES and all(len(data) % 2 == 0 for data in decoded[:-1])
    assert [delta["id"] for delta in deltas if "id" in delta] == ["audio_id1"]
    assert style_of(modalities=["audio"], audio={"format": "wav"}).audio == "wav"
    spoken = chat_whole(batches, style=Style(audio="wav"))["choices"][0]["message"]["audio"]["data"]
    with wave.open(BytesIO(base64.b64decode(spoken))) as file:
        assert (file.getframerate(), file.getnchannels(), file.readframes(99)) == (24000, 1, SAMPLES)


def test_tokens_add_up() -> None:
    """Acceptance 30: total = prompt + results of tools + answer + thoughts; cached is within the prompt."""
    usage = Usage(
        input_tokens=100, cached_tokens=60, tool_tokens=7, output_tokens=20, thought_tokens=30, total_tokens=157
    )
    for given in (usage, Usage(input_tokens=100, cached_tokens=60, tool_tokens=7, output_tokens=20, thought_tokens=30)):
        batches = reply(*blocks(Text("a")), usage=given)
        for found in (chat_whole(batches)["usage"], chat_stream(batches)[-1]["usage"]):
            assert (found["prompt_tokens"], found["completion_tokens"], found["total_tokens"]) == (107, 50, 157)
            assert found["prompt_tokens_details"]["cached_tokens"] == 60
            assert found["completion_tokens_details"]["reasoning_tokens"] == 30


def test_several_choices() -> None:
    """`n`: each choice with its own calls, marks and end."""
    events: list[Event] = []
    for index in (1, 0):
        events += [
            BlockStart(index, Text(f"t{index}")),
            BlockEnd(index),
            BlockStart(index, ToolCall(f"c{index}", "f", "{}")),
            BlockEnd(index),
        ]
    batches = [[ResponseStart("", "")], events, [Usage(), Finish(1, "tool_calls"), Finish(0, "length")]]
    streamed, whole = accumulated(chat_stream(batches)), chat_whole(batches)
    assert comparable(streamed) == comparable(whole)
    assert [(choice["message"]["content"], choice["finish_reason"]) for choice in whole["choices"]] == [
        ("t0", "length"),
        ("t1", "tool_calls"),
    ]
    assert [choice["message"]["tool_calls"][0]["id"] for choice in whole["choices"]] == ["c0", "c1"]
