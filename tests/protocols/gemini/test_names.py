"""Names of functions: made acceptable, each its own, and mapped back."""

import json
import time
from collections.abc import Callable

import pytest

from gemgate.hub.call import Function
from gemgate.hub.parts import Message, Text, ToolCall, ToolResult
from gemgate.protocols.gemini.names import MAX_NAME, NAME, accepted_names
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


def _foreign(number: int) -> str:
    return f"天{chr(0x4E00 + number)}"


def _foreign_at_the_end(number: int) -> str:
    return "x" * (MAX_NAME - 2) + _foreign(number)


def _almost_alike(number: int) -> str:
    return f"{'x' * (MAX_NAME - 5)}{number // 2:05}{number % 2}"


def _numbered_already(number: int) -> str:
    return f"a_{number // 2}" if number % 2 else f"a{' ' * (number // 2)}"


@pytest.mark.parametrize("spell", [_foreign, _foreign_at_the_end, _almost_alike, _numbered_already])
def test_thousands_of_names_alike_are_told_apart_at_once(spell: Callable[[int], str]) -> None:
    names = [spell(number) for number in range(6_000 if spell is not _numbered_already else 1_000)]
    history = tuple(Message("model", (ToolCall(str(number), name, "{}"),)) for number, name in enumerate(names))
    started = time.process_time()
    accepted = accepted_names(ask(*history))
    assert time.process_time() - started < 2
    assert list(accepted) == names and len(set(accepted.values())) == len(names)
    assert all(NAME.fullmatch(name) for name in accepted.values())
