"""Short ways to ask."""

import json
from typing import Any

import pytest

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate
from gemgate.hub.codec import Parsed
from gemgate.protocols.openai_responses.inbound import inbound
from gemgate.protocols.openai_responses.style import Style

Json = dict[str, Any]


def parse(**fields: Any) -> Parsed:
    return inbound(json.dumps({"model": "m", "input": "hi"} | fields).encode())


def call_of(**fields: Any) -> Generate:
    call = parse(**fields).call
    assert isinstance(call, Generate)
    return call


def style_of(**fields: Any) -> Style:
    """How the answer will be written."""
    style = parse(**fields).write.keywords["style"]  # type: ignore[attr-defined]
    assert isinstance(style, Style)
    return style


def lost(**fields: Any) -> list[str]:
    """The paths of what is dropped."""
    return [drop.path for drop in parse(**fields).dropped]


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as error:
        parse(**fields)
    assert error.value.message
    return error.value
