"""Media that Gemini takes by address: what Google holds itself, and what it fetches (notes §8)."""

import re
from urllib.parse import SplitResult, parse_qs, urlsplit

from msgspec.structs import replace

from gemgate.hub.parts import Media, Remote, Uri
from gemgate.protocols.gemini.accepted_media import ACCEPTED
from gemgate.protocols.shared.file_names import by_name
from gemgate.protocols.shared.media_types import assumed, is_text, specific

FILES_HOST = "generativelanguage.googleapis.com"
FILE_NAME = re.compile(r"files/[A-Za-z0-9_-]+")
FILE_PATH = re.compile(r"/v\d\w*/files/[A-Za-z0-9_-]+")

YOUTUBE = frozenset(
    {"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "www.youtube-nocookie.com"}
)
YOUTUBE_SHORT = "youtu.be"
VIDEO_PATH = re.compile(r"/(?:shorts|live|embed|v)/([A-Za-z0-9_-]+)/?")
SHORT_PATH = re.compile(r"/[A-Za-z0-9_-]+/?")

FALLBACK = "video/mp4"


def by_address(media: Media, *, by_url: bool, fetches: bool) -> Media | None:
    """Put media at an address as Gemini takes it without a download; `None` if it must be fetched and sent inline.

    `by_url` hands every address on, `fetches` those of videos: the model fetches them itself. Files of Google's own,
    videos on YouTube and `gs:` addresses always go by address. The type of `media` is a hint and may be a wildcard.
    """
    source = media.source
    assert isinstance(source, Remote)
    if (held := _held(source.url)) is not None:
        return replace(media, source=Uri(held), mime_type=specific(media.mime_type))
    if source.url[:5].lower() == "gs://":
        return replace(media, source=Uri(source.url), mime_type=_fetched_type(media, source.url))
    place = _web_place(source.url)
    if place is None or _host(place) == FILES_HOST:
        return None  # what Google holds is named in one way alone, so that its owner can be asked for
    if (video := _on_youtube(place, source.url)) is not None:
        hint = specific(media.mime_type)
        known = hint.startswith("video/") and hint in ACCEPTED  # what a page's file once was says nothing of the page
        return replace(media, source=Uri(video), mime_type=hint if known else "")
    if by_url or (fetches and _is_video(media, source.url)):
        return replace(media, source=Uri(source.url), mime_type=_fetched_type(media, source.url))
    return None


def _held(url: str) -> str | None:
    """Give the full address of a file that was uploaded to Google; its key and query are nobody's business."""
    if FILE_NAME.fullmatch(url):
        return f"https://{FILES_HOST}/v1beta/{url}"
    place = _web_place(url)
    if place is None or place.netloc.lower() not in (FILES_HOST, f"{FILES_HOST}:443"):
        return None
    return f"https://{FILES_HOST}{place.path}" if FILE_PATH.fullmatch(place.path) else None


def _host(place: SplitResult) -> str:
    return (place.hostname or "").rstrip(".")


def _web_place(url: str) -> SplitResult | None:
    try:
        place = urlsplit(url)
    except ValueError:
        return None
    return place if place.scheme in ("http", "https") and place.netloc else None


def _on_youtube(place: SplitResult, url: str) -> str | None:
    """Give the address of a video in a form that Google's documentation names."""
    host = place.netloc.lower()
    if host == YOUTUBE_SHORT:
        return url if SHORT_PATH.fullmatch(place.path) else None
    if host not in YOUTUBE:
        return None
    if place.path.rstrip("/") == "/watch":
        return url if parse_qs(place.query).get("v") else None
    found = VIDEO_PATH.fullmatch(place.path)
    return f"https://www.youtube.com/watch?v={found[1]}" if found and found[1] != "videoseries" else None


def _is_video(media: Media, url: str) -> bool:
    return media.mime_type.lower().startswith("video/") or by_name(url).startswith("video/")


def _fetched_type(media: Media, url: str) -> str:
    """Tell the type by the extension, else by the hint; a text's extension (`.ts`) says nothing of what is a video."""
    hint, told = assumed(media.mime_type), by_name(url)
    if is_text(told):
        told = "" if hint and not is_text(hint) else "text/plain"
    return told or hint or FALLBACK
