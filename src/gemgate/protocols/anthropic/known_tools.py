"""Tools that the client runs and whose schema nobody sends, because the other model knows it by heart."""

from collections.abc import Mapping

from msgspec import Struct, json

from gemgate.hub.call import Function
from gemgate.hub.parts import JsonText
from gemgate.protocols.anthropic import wire


class KnownTool(Struct, frozen=True):
    """A tool by the name it has if the request gives none, what it does, and its JSON Schema."""

    name: str
    description: str
    schema: JsonText


def _text(description: str) -> dict[str, object]:
    return {"type": "string", "description": description}


def _number(description: str) -> dict[str, object]:
    return {"type": "integer", "description": description}


def _numbers(description: str, count: int) -> dict[str, object]:
    items = {"type": "integer"}
    return {"type": "array", "items": items, "minItems": count, "maxItems": count, "description": description}


def _one_of(words: str, description: str) -> dict[str, object]:
    return {"type": "string", "enum": words.split(), "description": description}


def _schema(required: str, properties: Mapping[str, object]) -> JsonText:
    document = {"type": "object", "properties": properties, "required": required.split()}
    return json.encode(document).decode()


PATH = _text("Absolute path of the file or directory.")
VIEW_RANGE = _numbers("For view of a file: the first and the last line to show, from 1; -1 is the end.", 2)
FILE_TEXT = _text("For create: the content of the new file.")
OLD_STR = _text("For str_replace: the text to replace, which must occur exactly once.")
NEW_STR = _text("For str_replace: the text to put in its place.")
INSERT_LINE = _number("For insert: the number of the line after which to insert; 0 is the beginning.")
INSERT_TEXT = _text("For insert: the text to insert.")

BASH = KnownTool(
    "bash",
    "Runs a command in a bash session that lasts, and gives what it prints.",
    _schema(
        "",
        {
            "command": _text("The command to run."),
            "restart": {"type": "boolean", "description": "Start a new session."},
        },
    ),
)

EDITOR = KnownTool(
    "str_replace_based_edit_tool",
    "Views, creates and edits text files.",
    _schema(
        "command path",
        {
            "command": _one_of("view create str_replace insert", "What to do."),
            "path": PATH,
            "view_range": VIEW_RANGE,
            "file_text": FILE_TEXT,
            "old_str": OLD_STR,
            "new_str": NEW_STR,
            "insert_line": INSERT_LINE,
            "insert_text": INSERT_TEXT,
        },
    ),
)

OLD_EDITOR = KnownTool(
    "str_replace_editor",
    "Views, creates and edits text files.",
    _schema(
        "command path",
        {
            "command": _one_of("view create str_replace insert undo_edit", "What to do."),
            "path": PATH,
            "view_range": VIEW_RANGE,
            "file_text": FILE_TEXT,
            "old_str": OLD_STR,
            "new_str": _text("For str_replace: the text to put in its place; for insert: the text to insert."),
            "insert_line": INSERT_LINE,
        },
    ),
)
"""As it was before its name changed: it could undo, and inserted what `new_str` says."""

MEMORY = KnownTool(
    "memory",
    "Keeps notes across conversations in files below /memories. Look there before you begin a task.",
    _schema(
        "command",
        {
            "command": _one_of("view create str_replace insert delete rename", "What to do."),
            "path": _text("Path below /memories; for all commands but rename."),
            "view_range": VIEW_RANGE,
            "file_text": FILE_TEXT,
            "old_str": OLD_STR,
            "new_str": NEW_STR,
            "insert_line": INSERT_LINE,
            "insert_text": INSERT_TEXT,
            "old_path": _text("For rename: the path now."),
            "new_path": _text("For rename: the path then."),
        },
    ),
)

ACTIONS = (
    "key type mouse_move left_click left_click_drag right_click middle_click double_click triple_click left_mouse_down "
    "left_mouse_up scroll hold_key wait screenshot cursor_position"
)
REGION = {"region": _numbers("For zoom: the left, top, right and bottom edge of what to show, in pixels.", 4)}


def _computer(*, zoom: bool) -> KnownTool:
    properties = {
        "action": _one_of(f"{ACTIONS} zoom" if zoom else ACTIONS, "What to do."),
        "coordinate": _numbers("Pixels from the left and from the top edge: where to point, click or end a drag.", 2),
        "start_coordinate": _numbers("For left_click_drag: where to start.", 2),
        "text": _text("For type: the text. For key and hold_key: keys such as ctrl+s. Else: keys to hold meanwhile."),
        "scroll_direction": _one_of("up down left right", "For scroll."),
        "scroll_amount": _number("For scroll: clicks of the wheel."),
        "duration": {"type": "number", "description": "For hold_key and wait: seconds."},
    }
    about = "Operates a computer by mouse and keyboard and takes screenshots of its display."
    return KnownTool("computer", about, _schema("action", properties | REGION if zoom else properties))


COMPUTER, ZOOMING_COMPUTER = _computer(zoom=False), _computer(zoom=True)

EDITED_BY_STRING = ("text_editor_20241022", "text_editor_20250124")


def known_tool(tool: wire.Tool) -> Function | None:
    """Give the function that stands for a tool of a type whose schema is fixed; `None` for any other type."""
    kind = tool.type or ""
    if kind.startswith("bash_"):
        return _function(BASH, tool)
    if kind.startswith("text_editor_"):
        return _function(OLD_EDITOR if kind in EDITED_BY_STRING else EDITOR, tool)
    if kind.startswith("memory_"):
        return _function(MEMORY, tool)
    if kind.startswith("computer_2"):  # not a computer_toolset
        return _function(ZOOMING_COMPUTER if tool.enable_zoom else COMPUTER, tool, _display(tool))
    return None


def _function(known: KnownTool, tool: wire.Tool, more: str = "") -> Function:
    return Function(
        name=tool.name or known.name,
        description=tool.description or f"{known.description}{more}",
        parameters=known.schema,
        strict=bool(tool.strict),
    )


def _display(tool: wire.Tool) -> str:
    if not tool.display_width_px or not tool.display_height_px:
        return ""
    return f" The display is {tool.display_width_px} pixels wide and {tool.display_height_px} high."
