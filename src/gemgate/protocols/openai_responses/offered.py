"""One tool of a request → what is offered to the model for it."""

from msgspec import Raw, Struct

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Function
from gemgate.hub.codec import Dropped
from gemgate.protocols.openai_responses import wire, wire_tools
from gemgate.protocols.openai_responses.known_tools import KINDS, known_tool, runs_elsewhere
from gemgate.protocols.openai_responses.namespaces import flat
from gemgate.protocols.openai_responses.own_tools import own_tool
from gemgate.protocols.openai_responses.style import Called
from gemgate.protocols.shared.built_ins import kind_of
from gemgate.protocols.shared.free_text_tools import free_text_function
from gemgate.protocols.shared.nested import read
from gemgate.protocols.shared.raw_json import is_given, is_string, schema_text
from gemgate.protocols.shared.unknown import unknown

CLIENTS = frozenset(
    (
        "type",
        "name",
        "description",
        "parameters",
        "input_schema",
        "strict",
        "format",
        "function",
        "custom",
        "defer_loading",
        "allowed_callers",
        "output_schema",
        "async",
        "cache_control",
    )
)
"""Members of a client's tool that are read, or that ask for nothing of the model: who may call it, how it is run."""

NOT_UPSTREAM = "there is no such tool upstream"
LOST = {
    "mcp": "the upstream connects to no servers of tools",
    "file_search": "the upstream keeps no such stores of files",
    "programmatic_tool_calling": "the model calls tools one by one",
}
"""Why some are left out."""

ALL_AT_ONCE = "all tools are offered at once, so that none needs to be searched for"
NO_SEARCHING = "the web must not be searched, and the upstream's tool does just that"
NO_CONTAINER = "the upstream has no containers in which it could run"


class Offered(Struct, frozen=True):
    """A tool, where it stood, and what it is in the client's eyes.

    `called` is `None` where it is simply a function of its own name. A `deferred` one is offered once it was found;
    `about` is what the client says of its namespace.
    """

    tool: Function | BuiltIn
    path: str
    called: Called | None = None
    deferred: bool = False
    about: str = ""

    @property
    def is_known(self) -> bool:
        """Whether a function stands for a tool of a fixed schema."""
        return self.called is not None and self.called.kind not in (None, "custom")


def offered(raw: Raw, path: str, dropped: list[Dropped]) -> list[Offered]:
    """Read a tool, or a namespace of them; what cannot be had joins `dropped`. Raises `InvalidRequest`."""
    if is_string(raw):
        raw = Raw(b'{"type":%b}' % bytes(raw))
    tool = read(wire_tools.decode_tool, raw, path)
    if tool.type != "namespace":
        found = _one(tool, raw, path, "", dropped)
        return [found] if found is not None else []
    if not tool.name:
        raise InvalidRequest("A namespace must have a name.", param=f"{path}.name")
    inner = read(wire_tools.decode_tools, tool.tools, f"{path}.tools") if is_given(tool.tools) else []
    dropped += unknown(wire.decode_members(raw), CLIENTS | {"tools"}, path)
    made = [_inner(one, f"{path}.tools.{number}", tool, dropped) for number, one in enumerate(inner)]
    return [one for one in made if one is not None]


def _inner(raw: Raw, path: str, around: wire_tools.Tool, dropped: list[Dropped]) -> Offered | None:
    tool = read(wire_tools.decode_tool, raw, path)
    if tool.type not in (None, "", "function", "custom"):
        dropped.append(Dropped(path, "a namespace holds functions and custom tools alone"))
        return None
    if tool.defer_loading is None:
        tool.defer_loading = around.defer_loading
    found = _one(tool, raw, path, around.name or "", dropped)
    return found and Offered(found.tool, found.path, found.called, found.deferred, around.description or "")


def _one(tool: wire_tools.Tool, raw: Raw, path: str, namespace: str, dropped: list[Dropped]) -> Offered | None:
    kind = tool.type or ("custom" if tool.custom is not None else "function")
    if kind in ("function", "custom") and (tool.type or tool.name or tool.function or tool.custom):
        dropped += unknown(wire.decode_members(raw), CLIENTS, path)
        return _clients(tool, kind, path, namespace)
    known = KINDS.get(kind)
    if known is not None:
        why = _not_to_be_run(tool)
        if why:
            dropped.append(Dropped(path, why))
            return None
        return Offered(known_tool(known, tool, path), path, Called(known, kind))
    return _upstreams(tool, raw, path, dropped)


def _clients(tool: wire_tools.Tool, kind: str, path: str, namespace: str) -> Offered:
    """Offer a function or a tool of free text, flat or nested."""
    inner = tool.function if kind == "function" else tool.custom
    given = inner if inner is not None and inner.name else tool
    if not given.name:
        raise InvalidRequest("A tool must have a name.", param=f"{path}.name")
    name = flat(namespace, given.name)
    at = path if given is tool else f"{path}.{kind}"
    if kind == "custom":
        made = free_text_function(name, given.description, given.format, at)
        return Offered(made, path, Called("custom", given.name, namespace), bool(tool.defer_loading))
    schema, place = given.parameters, f"{at}.parameters"
    if not is_given(schema) and is_given(tool.input_schema):
        schema, place = tool.input_schema, f"{path}.input_schema"
    made = Function(
        name=name,
        description=given.description or "",
        parameters=schema_text(schema, place) if is_given(schema) else None,
        strict=bool(given.strict),
    )
    return Offered(made, path, Called(None, given.name, namespace) if namespace else None, bool(tool.defer_loading))


def _not_to_be_run(tool: wire_tools.Tool) -> str:
    """Say why the client could not run a tool of a fixed schema; "" if it can."""
    if tool.type == "tool_search" and tool.execution != "client":
        return ALL_AT_ONCE
    return NO_CONTAINER if tool.type == "shell" and runs_elsewhere(tool) else ""


def _upstreams(tool: wire_tools.Tool, raw: Raw, path: str, dropped: list[Dropped]) -> Offered | None:
    kind = kind_of(tool.type or "")
    if kind is None:
        dropped.append(Dropped(path, LOST.get(tool.type or "", NOT_UPSTREAM)))
        return None
    if kind == "web_search" and tool.external_web_access is False:
        dropped.append(Dropped(path, NO_SEARCHING))
        return None
    return Offered(own_tool(kind, tool, raw, path, dropped), path)
