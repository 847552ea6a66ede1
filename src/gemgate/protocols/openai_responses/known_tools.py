"""Tools that the client runs and whose schema nobody sends, because the other model knows it by heart.

A call's arguments are the members of the item that it becomes: of `action` for a shell, of `operation` for a patch;
a computer's are its `actions`.
"""

from collections.abc import Mapping

from msgspec import Struct, json

from gemgate.hub.call import Function
from gemgate.hub.parts import JsonText
from gemgate.protocols.openai_responses import wire_tools
from gemgate.protocols.openai_responses.style import CallKind
from gemgate.protocols.shared.nested import read_or_none
from gemgate.protocols.shared.raw_json import JsonField, is_given, is_object, plain_text, schema_text

Json = dict[str, object]

KINDS: dict[str, CallKind] = {
    "local_shell": "local_shell",
    "shell": "shell",
    "apply_patch": "apply_patch",
    "computer": "computer",
    "computer_use": "computer",
    "computer_use_preview": "computer",
    "tool_search": "tool_search",
}
"""What these tools are called by, and their functions too."""


class KnownTool(Struct, frozen=True):
    """What a tool does, and its JSON Schema."""

    description: str
    schema: JsonText


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


def _number(description: str) -> Json:
    return {"type": "integer", "description": description}


def _texts(description: str) -> Json:
    return {"type": "array", "items": {"type": "string"}, "description": description}


def _object(required: str, properties: Mapping[str, object]) -> Json:
    return {"type": "object", "properties": properties, "required": required.split()}


def _tool(description: str, required: str, properties: Mapping[str, object]) -> KnownTool:
    return KnownTool(description, json.encode(_object(required, properties)).decode())


def _one_of(words: str, description: str) -> Json:
    return {"type": "string", "enum": words.split(), "description": description}


TIMEOUT = _number("Milliseconds after which it is stopped.")

LOCAL_SHELL = _tool(
    "Runs a command on the user's machine, and gives what it prints.",
    "command",
    {
        "command": _texts('The program and its arguments, such as ["bash", "-lc", "ls"].'),
        "working_directory": _text("Where to run it."),
        "timeout_ms": TIMEOUT,
        "env": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Environment variables to set.",
        },
        "user": _text("The user to run it as."),
    },
)

SHELL = _tool(
    "Runs shell commands, and gives for each what it prints and how it ends.",
    "commands",
    {
        "commands": _texts("The commands; they may run at the same time."),
        "timeout_ms": TIMEOUT,
        "max_output_length": _number("How many characters of their output to give at most."),
    },
)

APPLY_PATCH = _tool(
    "Creates, changes or deletes one text file.",
    "type path",
    {
        "type": _one_of("create_file update_file delete_file", "What to do."),
        "path": _text("The path of the file, relative to the working directory."),
        "diff": _text(
            "For update_file: one or more hunks, each a line of @@ (with the class or function that it is in, if that "
            "helps to find it) and then the lines: unchanged ones behind a space, removed ones behind -, added ones "
            "behind +; about three unchanged lines on either side, no line numbers, no file headers. "
            "For create_file: the whole content, each line behind +. For delete_file: nothing."
        ),
    },
)

POINT = _object("x y", {"x": {"type": "integer"}, "y": {"type": "integer"}})
ACTION = _object(
    "type",
    {
        "type": _one_of("click double_click drag keypress move screenshot scroll type wait", "What to do."),
        "x": _number("For click, double_click, move and scroll: pixels from the left edge."),
        "y": _number("For the same: pixels from the upper edge."),
        "button": _one_of("left right wheel back forward", "For click."),
        "path": {
            "type": "array",
            "items": POINT,
            "description": "For drag: the points on the way, from first to last.",
        },
        "keys": _texts('For keypress: the keys, such as ["CTRL", "S"]. Else: keys to hold meanwhile.'),
        "scroll_x": _number("For scroll: pixels to the right."),
        "scroll_y": _number("For scroll: pixels down."),
        "text": _text("For type: the text."),
    },
)
COMPUTER = _tool(
    "Operates a computer by mouse and keyboard; afterwards it shows a screenshot.",
    "actions",
    {"actions": {"type": "array", "items": ACTION, "minItems": 1, "description": "What to do, one after the other."}},
)
ONE_ACTION = _tool(
    COMPUTER.description,
    "actions",
    {
        "actions": {
            "type": "array",
            "items": ACTION,
            "minItems": 1,
            "maxItems": 1,
            "description": "The one thing to do.",
        }
    },
)
"""As it was at first: an item held one action."""

TOOL_SEARCH = _tool(
    "Finds further tools, which can be called after that.",
    "query",
    {"query": _text("What such a tool shall be able to do.")},
)


def known_tool(kind: CallKind, tool: wire_tools.Tool, path: str) -> Function:
    """Give the function that stands for a tool of the client's, which stands at `path`."""
    match kind:
        case "local_shell":
            known = LOCAL_SHELL
        case "shell":
            known = SHELL
        case "apply_patch":
            known = APPLY_PATCH
        case "computer":
            known = COMPUTER if tool.type == "computer" else ONE_ACTION
        case "tool_search" | "custom":
            return _search(tool, path)
    return Function(name=kind, description=f"{known.description}{_display(tool)}", parameters=known.schema)


def _search(tool: wire_tools.Tool, path: str) -> Function:
    """Offer the client's own search, by the schema that it gives."""
    own = schema_text(tool.parameters, f"{path}.parameters") if is_given(tool.parameters) else None
    return Function(
        name="tool_search",
        description=tool.description or TOOL_SEARCH.description,
        parameters=own or TOOL_SEARCH.schema,
    )


def _display(tool: wire_tools.Tool) -> str:
    width, height = _pixels(tool.display_width), _pixels(tool.display_height)
    if not width or not height:
        return ""
    system = plain_text(tool.environment)[:40]
    return f" Its display is {width} pixels wide and {height} high{f'; it runs {system}' if system else ''}."


def _pixels(raw: JsonField) -> int:
    return (read_or_none(wire_tools.decode_size, raw) or 0) if is_given(raw) else 0


def runs_elsewhere(tool: wire_tools.Tool) -> bool:
    """Whether a shell is one of the other server's containers, where no client can run anything."""
    if not is_given(tool.environment) or not is_object(tool.environment):
        return False
    found = read_or_none(wire_tools.decode_typed, tool.environment)
    return found is not None and (found.type or "local") != "local"
