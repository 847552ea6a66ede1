"""What the writer gives a client, and the client gives back, is what the model said."""

import json

import pytest
from msgspec.structs import replace

from gemgate.hub.parts import Code, CodeResult, Inline, Media, Part, Signature, Text, Thought, ToolCall
from gemgate.protocols.openai_responses.style import Called, Style
from gemgate.protocols.openai_responses.writer import PLAIN
from tests.protocols.openai_responses.conversing import HI, PNG, messages
from tests.protocols.openai_responses.replies import output
from tests.protocols.shaping import MODELS, ask, checked

MARK, OTHER = Signature("gemini", "YQ=="), Signature("gemini", "Yg==")
CALL = ToolCall("call_1", "f", '{"a":1}', MARK)
IMAGE = Media("image/png", Inline(PNG))


def back(*parts: Part, style: Style = PLAIN) -> tuple[Part, ...]:
    """The parts of an answer, after the client has given it back."""
    return tuple(_bare(part) for part in messages(HI, *output(*parts, style=style))[1].parts)


def _bare(part: Part) -> Part:
    """Without the family, which the writer puts to a signature, and with base64 as text and JSON without blanks."""
    if isinstance(part, Media) and isinstance(part.source, Inline):
        return replace(part, source=Inline(part.source.text))
    if isinstance(part, ToolCall):
        part = replace(part, arguments=json.dumps(json.loads(part.arguments), separators=(",", ":")))
    if isinstance(part, (Thought, ToolCall, Code)) and part.signature is not None:
        return replace(part, signature=replace(part.signature, family=""))
    return part


@pytest.mark.parametrize(
    "parts",
    [
        [Text("a")],
        [Thought("**A**\n\nb\n\n**C**\n\nd", MARK), Text("a")],
        [CALL, ToolCall("call_2", "g", "{}")],
        [Text("I look"), CALL],
        [Code("", "python", "1+1", MARK), CodeResult("", "ok", "2"), Text("2")],
        [Code("c1", "python", "1", MARK), CodeResult("c1", "failed", "x"), Code("c2", "python", "2", OTHER)],
        [Code("", "python", "plot()"), CodeResult("", "ok", ""), IMAGE, Text("see")],
        [Text("a"), IMAGE, Text("b")],
    ],
)
def test_an_answer_comes_back(parts: list[Part]) -> None:
    assert back(*parts) == tuple(parts)


@pytest.mark.parametrize("model", MODELS)
def test_code_without_a_result_is_something_that_the_upstream_takes(model: str) -> None:
    code = Code("c1", "python", "1")
    turns = messages(HI, *output(code), {"role": "user", "content": "go on"})
    sent = checked(ask(*turns), model)["contents"]
    assert sent[1] == {"role": "model", "parts": [{"executableCode": {"id": "c1", "language": "PYTHON", "code": "1"}}]}


def test_a_thought_without_a_signature_is_not_sent_again_but_that_of_its_call_is() -> None:
    assert back(Thought("hm"), CALL) == (CALL,)


@pytest.mark.parametrize(
    ("called", "part"),
    [
        (Called(None, "f", "n"), ToolCall("call_1", "n__f", '{"a":1}')),
        (Called("custom", "p"), ToolCall("call_1", "p", '{"input":"a\\nb"}')),
        (Called("shell", "shell"), ToolCall("call_1", "shell", '{"commands":["ls"]}')),
        (Called("apply_patch", "apply_patch"), ToolCall("call_1", "apply_patch", '{"type":"delete_file","path":"a"}')),
        (Called("computer", "computer"), ToolCall("call_1", "computer", '{"actions":[{"type":"wait"}]}')),
        (Called("tool_search", "tool_search"), ToolCall("call_1", "tool_search", '{"query":"a"}')),
    ],
)
def test_calls_of_the_clients_own_tools_come_back(called: Called, part: ToolCall) -> None:
    assert back(part, style=Style(called={part.name: called})) == (part,)
