"""Media in formats that have no slot for them: text that people can read, and that histories bring back."""

from gemgate.hub.parts import Inline, Media, Remote, Uri


def media_text(part: Media, opening: bool) -> str:
    """Show an image in place, and link anything else; `opening` is whether nothing stands before it."""
    kind = part.mime_type.partition("/")[0] or "file"
    lead = "" if opening else "\n"
    return f"{lead}{'!' if kind == 'image' else ''}[{kind}]({media_url(part)})\n"


def media_url(part: Media) -> str:
    """Give media as an address, a data URL where they are carried in the answer."""
    match part.source:
        case Inline() as inline:
            return f"data:{part.mime_type};base64,{inline.text}"
        case Uri(uri=url) | Remote(url=url):
            return url
