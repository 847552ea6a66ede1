"""What a tool that is called with free text was given: upstream it is a function with the one argument `input`."""

import msgspec
from msgspec import json

from gemgate.hub.parts import JsonText


def free_input(arguments: JsonText) -> str:
    """Take the text out of the one argument that stands for it."""
    try:
        members = json.decode(arguments, type=dict[str, object])
    except msgspec.MsgspecError:
        return arguments
    value = members.get("input")
    return value if isinstance(value, str) else arguments
