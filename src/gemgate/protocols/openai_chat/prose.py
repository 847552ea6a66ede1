"""What the format has no slot for, written so that people can read it in `content`."""

from gemgate.hub.parts import Inline, Media, Remote, Uri
from gemgate.protocols.openai_chat.marks import google

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


def media_text(part: Media, opening: bool) -> str:
    """Show an image in place, and link anything else."""
    kind = part.mime_type.partition("/")[0] or "file"
    lead = "" if opening else "\n"
    return f"{lead}{'!' if kind == 'image' else ''}[{kind}]({_url(part)})\n"


def is_image(part: Media) -> bool:
    """Whether a part is an image."""
    return part.mime_type.startswith("image/")


def image_object(part: Media, index: int) -> dict[str, object]:
    """Give an image as an entry of `images`."""
    made: dict[str, object] = {"type": "image_url", "index": index, "image_url": {"url": _url(part)}}
    if part.signature is not None:
        made["extra_content"] = google(part.signature)
    return made


def _url(part: Media) -> str:
    match part.source:
        case Inline() as inline:
            return f"data:{part.mime_type};base64,{inline.text}"
        case Uri(uri=url) | Remote(url=url):
            return url
