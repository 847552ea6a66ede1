"""Sources of images and documents → the hub's media; base64 stays a slice of the request's own buffer (notes §8)."""

from msgspec import Raw

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Inline, Media
from gemgate.protocols.anthropic import wire
from gemgate.protocols.shared import media_types
from gemgate.protocols.shared.located import located, named_file, refuse_other_than_base64
from gemgate.protocols.shared.raw_json import is_given, is_string, string


def media(source: wire.Source, path: str, name: str = "") -> Media:
    """Translate a source, whatever its type says: what counts is what is there.

    `name` may tell the type of a document by its ending. Raises `InvalidRequest`.
    """
    label = source.media_type or ""
    for key, given in (("data", source.data), ("url", source.url)):
        if is_given(given):
            return _located(given, f"{path}.{key}", label, name, for_data=key == "data")
    if source.file_id:
        return Media(media_types.normal(label), named_file(source.file_id, f"{path}.file_id"))
    raise InvalidRequest("There is nothing here. Send data, url or file_id.", param=path, code="unsupported_content")


def _located(raw: Raw, path: str, label: str, name: str, *, for_data: bool) -> Media:
    if not is_string(raw):
        raise InvalidRequest("This must be a string.", param=path)
    found = located(string(raw), path, label=label, name=name, for_data=for_data)
    if isinstance(found.source, Inline):
        # A data URL's base64 has not been looked at yet.
        refuse_other_than_base64(found.source.data, path, for_data=True)
    return found
