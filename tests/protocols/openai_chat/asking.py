"""Short ways to ask."""

import json
from typing import Any

import pytest

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate
from gemgate.hub.codec import Parsed
from gemgate.hub.parts import Part
from gemgate.protocols.openai_chat.inbound import inbound

Json = dict[str, Any]
HI: Json = {"role": "user", "content": "hi"}


def parse(**fields: Any) -> Parsed:
    return inbound(json.dumps({"model": "m", "messages": [HI]} | fields).encode())


def call_of(**fields: Any) -> Generate:
    call = parse(**fields).call
    assert isinstance(call, Generate)
    return call


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as error:
        parse(**fields)
    assert error.value.message
    return error.value


def user(*content: Any) -> tuple[Part, ...]:
    """The parts of a user's message."""
    return call_of(messages=[{"role": "user", "content": list(content)}]).messages[0].parts


def assistant(**message: Any) -> tuple[Part, ...]:
    """The parts of an assistant's message in a history."""
    return call_of(messages=[HI, {"role": "assistant", **message}]).messages[1].parts
