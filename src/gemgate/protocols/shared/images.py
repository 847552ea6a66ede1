"""Images within an assistant's text: answers show them as markdown with a data URL, histories bring them back so."""

import re
from collections.abc import Iterator

from gemgate.hub.parts import Inline, Media, Part, Text
from gemgate.protocols.shared import data_urls, media_types

OPENING = "](data:"
"""What every link to data holds; looking for it is cheap."""
LINK = re.compile(r"!\[[^\[\]\n]{0,256}\]\((data:[\w.+/;=-]{0,200};base64,[A-Za-z0-9+/=_\s%-]++)\)", re.IGNORECASE)
"""An image of base64. Nothing in it can begin another one, so that any text is searched in linear time."""
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
SHOWN = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
"""The types that the upstream reads; a link to anything else is text, as it is in a page about such links."""


def text_and_images(text: str) -> list[Part]:
    """Split an assistant's text into itself and the images that it shows as data URLs."""
    return [part for _, part in pieces(text)]


def pieces(text: str) -> list[tuple[int, Text | Media]]:
    """The same, each with the offset in `text` where it ends.

    The line breaks that an answer puts around an image (`media_text`) are part of the image. Code within fences,
    and a link to what is no image, stay text.
    """
    if OPENING not in text:
        return [(len(text), Text(text))] if text else []
    found: list[tuple[int, Text | Media]] = []
    done = 0
    fenced = _fenced(text)
    code = next(fenced, None)
    for link in LINK.finditer(text):
        start, end = link.span()
        while code is not None and code[1] <= start:
            code = next(fenced, None)
        media = _media(link[1]) if code is None or start < code[0] else None
        if media is None:
            continue
        start -= start > done and text[start - 1] == "\n"
        end += text[end : end + 1] == "\n"
        if start > done:
            found.append((start, Text(text[done:start])))
        found.append((end, media))
        done = end
    if done < len(text):
        found.append((len(text), Text(text[done:])))
    return found


def _fenced(text: str) -> Iterator[tuple[int, int]]:
    """Find the blocks of code, in order; one that is never closed is none, as an image may follow where it was cut."""
    opened, fence = 0, ""
    for line in FENCE.finditer(text):
        mark, rest = line[1], line[2]
        if not fence:
            # Backquotes after backquotes are code within a line.
            if mark[0] == "~" or "`" not in rest:
                opened, fence = line.start(), mark
        elif mark.startswith(fence) and not rest.strip():
            yield opened, line.end()
            fence = ""


def _media(url: str) -> Media | None:
    parsed = data_urls.parse(url)
    if parsed is None or not parsed[1]:
        return None
    label, data = parsed
    kind = media_types.decided(label, data)
    return Media(kind, Inline(data)) if kind in SHOWN else None
