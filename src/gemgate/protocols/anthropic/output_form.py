"""The form of the answer."""

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Output
from gemgate.protocols.anthropic import wire
from gemgate.protocols.shared.raw_json import is_given, schema_text

FORMAT = "output_config.format"
OLD_FORMAT = "output_format"


def output_of(request: wire.Request) -> tuple[Output, dict[str, str]]:
    """Translate the format, where it stands now or stood before; gives where, too. Raises `InvalidRequest`."""
    config = request.output_config
    found, path = (config.format, FORMAT) if config is not None else (None, FORMAT)
    if found is None:
        found, path = request.output_format, OLD_FORMAT
    paths = {"output": path, "output.schema": f"{path}.schema"}
    if found is None or not (found.type or is_given(found.schema)):
        return Output(), {}
    if found.type not in (None, "json_schema"):
        raise InvalidRequest(f"{found.type[:80]!r} is no format. It is json_schema.", param=f"{path}.type")
    if not is_given(found.schema):
        raise InvalidRequest("The schema of the answer is missing.", param=f"{path}.schema")
    return Output(json=True, schema=schema_text(found.schema, f"{path}.schema")), paths
