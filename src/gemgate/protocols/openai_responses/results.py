"""What tools gave back, whatever items it stands in → the response of a function and the media with it."""

from typing import cast

from msgspec import Raw, Struct, json

from gemgate.hub.parts import JsonText, Media, Text
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.content import TEXTS, listed, part_of, plain
from gemgate.protocols.shared.nested import read_or_none
from gemgate.protocols.shared.raw_json import JsonField, decode_string, is_given, is_string, object_text, plain_text

RESULTS = frozenset(
    (
        "function_call_output",
        "custom_tool_call_output",
        "local_shell_call_output",
        "shell_call_output",
        "apply_patch_call_output",
        "computer_call_output",
        "program_output",
    )
)
"""The items that are results."""

MEDIA = frozenset({"input_image", "input_file", "input_audio", "input_video", "image_url", "computer_screenshot"})


class Given(Struct, frozen=True):
    """What a tool gave back."""

    response: JsonText
    media: tuple[Media, ...] = ()


def result(item: wire.Item, path: str) -> Given:
    """Translate a result, which stands at `path`; raises `InvalidRequest` for media that cannot be sent."""
    match item.type:
        case "program_output":
            return given(item.result, f"{path}.result")
        case "apply_patch_call_output":
            text = plain_text(item.output)
            if item.status == "failed":
                return Given(_error(text or "The patch could not be applied."))
            return Given(object_text(text or "Done.", "output"))
        case _:
            return given(item.output, f"{path}.output")


def own_result(item: wire.Item, path: str) -> Given | None:
    """Give what came of a call that a server answered itself, in the call's own item; `None` if that is not told."""
    if is_given(item.error):
        error = item.error
        return Given(_error(decode_string(error) if is_string(error) else bytes(error).decode()))
    return given(item.output, f"{path}.output") if is_given(item.output) else None


def given(raw: JsonField, path: str) -> Given:
    """Translate an output: a text, parts of content, or any JSON, which stays what it is."""
    if not is_given(raw):
        return Given(object_text("", "output"))
    if is_string(raw):
        return Given(object_text(decode_string(raw), "output"))
    content = read_or_none(wire.decode_content, raw)
    if content is None or not all(_is_content(part) for part in listed(content)):
        return Given(_kept(raw))
    return _told(content, path)


def _is_content(part: wire.ContentPart | str) -> bool:
    if isinstance(part, str):
        return True
    return part.type in MEDIA or (part.type in TEXTS and part.type is not None)


def _told(content: wire.Content, path: str) -> Given:
    texts: list[str] = []
    media: list[Media] = []
    for number, part in enumerate(listed(content)):
        text = plain(part)
        if text is not None:
            texts.append(text)
            continue
        found = part_of(cast("wire.ContentPart", part), f"{path}.{number}" if isinstance(content, list) else path)
        match found:
            case Media():
                media.append(found)
            case Text():
                texts.append(found.text)
            case _:
                pass  # an empty slot: the tool had nothing to show
    return Given(object_text("\n".join(texts), "output"), tuple(media))


def _kept(raw: Raw) -> JsonText:
    text = bytes(raw).decode()
    return text if text.startswith("{") else f'{{"output":{text}}}'


def _error(text: str) -> JsonText:
    return json.encode({"error": text}).decode()
