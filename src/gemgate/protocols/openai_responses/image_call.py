"""Images that the model makes: calls of a tool that it does not need to call."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct, json

from gemgate.hub.parts import Inline, Media
from gemgate.protocols.openai_responses.output import OpenItem, Output

MAX_DRAFTS = 3
"""That can be asked for."""

encode = json.Encoder().encode


class _Tool(Struct):
    type: str = ""
    partial_images: int = 0


def drafts_asked(tools: Raw | None) -> int:
    """Tell how many drafts of an image a request wants to see."""
    if tools is None or b"partial_images" not in bytes(tools):
        return 0
    found = 0
    try:
        for raw in json.decode(tools, type=list[Raw]):
            tool = json.decode(raw, type=_Tool, strict=False)
            if tool.type == "image_generation":
                found = max(found, tool.partial_images)
    except msgspec.MsgspecError:
        return 0
    return min(found, MAX_DRAFTS)


def write_image(output: Output, item_id: str, image: Media, drafts: Sequence[Media]) -> None:
    """Write an image that is carried in the reply, after its drafts."""
    known: dict[str, object] = {"id": item_id, "type": "image_generation_call"}
    item = OpenItem(output, known, {"status": "in_progress", "result": None})
    item.tell(b"response.image_generation_call.in_progress")
    item.tell(b"response.image_generation_call.generating")
    for index, draft in enumerate(drafts):
        more = b',"partial_image_index":%d,"partial_image_b64":%b,"output_format":%b'
        item.tell(b"response.image_generation_call.partial_image", more % (index, _base64(draft), encode(_form(draft))))
    item.tell(b"response.image_generation_call.completed")
    result = image.source.text if isinstance(image.source, Inline) else None
    item.close({"status": "completed", "output_format": _form(image), "result": result})


def _base64(image: Media) -> bytes:
    return encode(image.source.text) if isinstance(image.source, Inline) else b'""'


def _form(image: Media) -> str:
    form = image.mime_type.partition("/")[2].partition(";")[0]
    return "svg" if form == "svg+xml" else "jpeg" if form == "jpg" else form or "png"
