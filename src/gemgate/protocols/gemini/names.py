"""Names of functions as Gemini accepts them."""

import re

from gemgate.hub.call import Function, Generate
from gemgate.hub.parts import ToolCall, ToolResult

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
MAX_NAME = 64
"""The SDK's own text says 128, older documents 64; the smaller holds everywhere (notes §12)."""
COUNTED = MAX_NAME - 8
"""How much of a name is left beside any number."""


def accepted_names(call: Generate) -> dict[str, str]:
    """Give every function of the tools and the history a name that Gemini accepts, each its own: theirs → ours."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    offered = (tool.name for tool in call.tools if isinstance(tool, Function))
    used = (
        part.name
        for message in call.messages
        for part in message.parts
        if isinstance(part, (ToolCall, ToolResult)) and part.name
    )
    for name in (*offered, *used):
        if name not in names:
            names[name] = _accepted(name, taken, numbers)
            taken.add(names[name])
    return names


def _accepted(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    """Make a name that is not taken; `numbers` holds the last that was put behind a name."""
    if NAME.fullmatch(name) and name not in taken:
        return name
    base = re.sub(r"[^A-Za-z0-9_.:-]", "_", name)
    base = base if re.match(r"[A-Za-z_]", base) else f"_{base}"
    # Numbers go by how names start: all that tells two apart may be cut off to make room for a number.
    start = base[:COUNTED]
    candidate = base[:MAX_NAME]
    while candidate in taken:
        numbers[start] = number = numbers.get(start, 1) + 1
        suffix = f"_{number}"
        candidate = base[: MAX_NAME - len(suffix)] + suffix
    return candidate
