"""What the format has no slot for, written so that people can read it in `content`."""

from gemgate.hub.parts import Media
from gemgate.protocols.openai_chat.marks import google
from gemgate.protocols.shared.media_text import media_url

LANGUAGES = {"": "python", "language_unspecified": ""}


def code_block(language: str, code: str, opening: bool) -> str:
    """Show code that the upstream ran."""
    return _block(LANGUAGES.get(language, language), code, opening)


def result_block(outcome: str, output: str, opening: bool) -> str:
    """Show what it printed, or how it failed."""
    shown = output if outcome in ("ok", "") else f"[{outcome}]\n{output}"
    return _block("output", shown, opening)


def _block(label: str, text: str, opening: bool) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    lead = "" if opening else "\n"
    body = text if text.endswith("\n") or not text else f"{text}\n"
    return f"{lead}{fence}{label}\n{body}{fence}\n"


def is_image(part: Media) -> bool:
    """Whether a part is an image."""
    return part.mime_type.startswith("image/")


def image_object(part: Media, index: int) -> dict[str, object]:
    """Give an image as an entry of `images`."""
    made: dict[str, object] = {"type": "image_url", "index": index, "image_url": {"url": media_url(part)}}
    if part.signature is not None:
        made["extra_content"] = google(part.signature)
    return made
