"""Short ways to ask."""

import json
from typing import Any

import pytest

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate
from gemgate.hub.codec import Parsed
from gemgate.hub.parts import Message, Part
from gemgate.protocols.anthropic.inbound import inbound

Json = dict[str, Any]
HI: Json = {"role": "user", "content": "hi"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKMSAwIG9iago8PCAvVHlwZSAvQ2F0YWxvZyA+PgplbmRvYmoK"


def parse(**fields: Any) -> Parsed:
    return inbound(json.dumps({"model": "m", "max_tokens": 9, "messages": [HI]} | fields).encode())


def call_of(**fields: Any) -> Generate:
    call = parse(**fields).call
    assert isinstance(call, Generate)
    return call


def lost(**fields: Any) -> list[str]:
    """The paths of what is dropped."""
    return [drop.path for drop in parse(**fields).dropped]


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as error:
        parse(**fields)
    assert error.value.message
    return error.value


def user(*content: Any) -> tuple[Part, ...]:
    """The parts of a user's message."""
    return call_of(messages=[{"role": "user", "content": list(content)}]).messages[0].parts


def assistant(*content: Any) -> tuple[Part, ...]:
    """The parts of an assistant's message in a history."""
    return history({"role": "assistant", "content": list(content)})[1].parts


def history(*messages: Json) -> tuple[Message, ...]:
    """A conversation that the user opens."""
    return call_of(messages=[HI, *messages]).messages


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(call_id: str, name: str = "f", **arguments: Any) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id: str, content: Any = "ok", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content} | more
