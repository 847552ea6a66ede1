"""Names of functions: made acceptable, each its own, and mapped back."""

import json

from gemgate.hub.call import Function
from gemgate.hub.parts import Message, Text, ToolCall, ToolResult
from gemgate.protocols.gemini.outbound import outbound
from tests.protocols.shaping import OLD, ask


def test_names_are_made_acceptable_and_mapped_back() -> None:
    names = ["get weather", "get_weather", "get/weather", "1st", "x" * 70, "x" * 71, "天气"]
    rendered = outbound(ask(tools=tuple(Function(name=name) for name in names)), OLD)
    sent = [each["name"] for each in json.loads(b"".join(rendered.body))["tools"][0]["functionDeclarations"]]
    assert [rendered.names.get(name, name) for name in sent] == names
    assert len(set(sent)) == len(names) and all(len(name) <= 64 for name in sent)
    assert "get_weather" in sent and rendered.names["get_weather_2"] in names


def test_names_of_the_history_are_made_acceptable_too() -> None:
    history = (
        Message("user", (Text("a"),)),
        Message("model", (ToolCall("1", "get weather", "{}"),)),
        Message("user", (ToolResult("1", "get weather", "{}"),)),
    )
    rendered = outbound(ask(*history), OLD)
    contents = json.loads(b"".join(rendered.body))["contents"]
    assert contents[1]["parts"][0]["functionCall"]["name"] == "get_weather"
    assert contents[2]["parts"][0]["functionResponse"]["name"] == "get_weather"
    assert rendered.names == {"get_weather": "get weather"}
