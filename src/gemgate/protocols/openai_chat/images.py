"""Images within text: answers show them as markdown with a data URL, and histories bring them back so."""

import re

from gemgate.hub.parts import Inline, Media, Part, Text
from gemgate.protocols.shared import data_urls, media_types

OPENING = "](data:"
"""What every link to data holds; looking for it is cheap."""
LINK = re.compile(r"!?\[[^\[\]\n]{0,256}\]\((data:[\w.+/;=-]{0,200};base64,[A-Za-z0-9+/=_\s%-]++)\)", re.IGNORECASE)
"""A link to base64. Nothing in it can begin another one, so that any text is searched in linear time."""


def text_and_images(text: str) -> list[Part]:
    """Split text into itself and the media that it shows as data URLs."""
    if OPENING not in text:
        return [Text(text)]
    return [part for _, part in pieces(text)]


def pieces(text: str) -> list[tuple[int, Text | Media]]:
    """The same, each with the offset in `text` where it ends.

    The line breaks that an answer puts around an image (`prose.media_text`) are part of the image. A link to what is
    no media, or to media of no known type, stays text.
    """
    found: list[tuple[int, Text | Media]] = []
    done = 0
    for link in LINK.finditer(text) if OPENING in text else ():
        media = _media(link[1])
        if media is None:
            continue
        start, end = link.span()
        start -= start > done and text[start - 1] == "\n"
        end += text[end : end + 1] == "\n"
        if start > done:
            found.append((start, Text(text[done:start])))
        found.append((end, media))
        done = end
    if done < len(text):
        found.append((len(text), Text(text[done:])))
    return found


def _media(url: str) -> Media | None:
    parsed = data_urls.parse(url)
    if parsed is None or not parsed[1]:
        return None
    label, data = parsed
    kind = media_types.decided(label, data)
    return None if not kind or media_types.is_text(kind) else Media(kind, Inline(data))
