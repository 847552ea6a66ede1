"""The tools of a request, as clients send them; source as for the rest of the request."""

from msgspec import UNSET, Raw, Struct, json

from gemgate.protocols.shared.raw_json import JsonField
from gemgate.protocols.shared.tool_choice import NamedChoice


class Inner(Struct):
    """A function or a custom tool as another format of the same vendor nests it."""

    name: str | None = None
    description: str | None = None
    parameters: JsonField = UNSET
    strict: bool | None = None
    format: JsonField = UNSET


class Tool(Struct):
    """A tool; which fields it has depends on its type.

    What several types mean differently, or unknown ones may, is undecoded.
    """

    type: str | None = None
    name: str | None = None
    description: str | None = None
    parameters: JsonField = UNSET
    input_schema: JsonField = UNSET
    strict: bool | None = None
    defer_loading: bool | None = None
    function: Inner | None = None
    custom: Inner | None = None
    format: JsonField = UNSET
    tools: JsonField = UNSET
    execution: str | None = None
    environment: JsonField = UNSET
    display_width: JsonField = UNSET
    display_height: JsonField = UNSET
    external_web_access: bool | None = None
    size: JsonField = UNSET


class Container(Struct):
    """Where code runs."""

    type: str | None = None
    file_ids: JsonField = UNSET
    memory_limit: JsonField = UNSET
    network_policy: JsonField = UNSET
    skills: JsonField = UNSET


class Typed(Struct):
    """An object of which the type alone matters."""

    type: str | None = None


Choice = str | NamedChoice | None

decode_tool = json.Decoder(Tool, strict=False).decode
decode_tools = json.Decoder(list[Raw]).decode
decode_container = json.Decoder(Container, strict=False).decode
decode_typed = json.Decoder(Typed, strict=False).decode
decode_choice = json.Decoder(Choice, strict=False).decode
decode_size = json.Decoder(int, strict=False).decode
