"""The media that Gemini reads, and what to send instead of those it does not (notes §1.4, §8)."""

from gemgate.errors import InvalidRequest
from gemgate.protocols.shared.media_types import is_text, normal, specific

ACCEPTED = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/heic",
        "image/heif",
        "audio/wav",
        "audio/mp3",
        "audio/mpeg",
        "audio/aiff",
        "audio/aac",
        "audio/ogg",
        "audio/flac",
        "audio/mp4",
        "audio/webm",
        "video/mp4",
        "video/mpeg",
        "video/mpg",
        "video/mov",
        "video/avi",
        "video/x-flv",
        "video/webm",
        "video/wmv",
        "video/3gpp",
        "application/pdf",
    }
)

INSTEAD = {
    "image": "Send PNG, JPEG, WebP, HEIC or HEIF.",
    "audio": "Send WAV, MP3, AIFF, AAC, OGG, FLAC or M4A.",
    "video": "Send MP4, MPEG, MOV, AVI, FLV, WebM, WMV or 3GPP.",
}
OTHERWISE = "Send a PDF, or the text itself."

UNTOLD = (
    "The type of this media cannot be told: use a data URL with a type, such as data:image/png;base64,…, or a file "
    "name with an extension."
)

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_= \t\r\n"
"""Of both kinds of base64, and what stands between its lines."""
SLICE = 64 * 1024
"""How much is looked through at a time, in characters: what it costs does not grow with the media."""


def check_base64(data: memoryview) -> None:
    """Raise `InvalidRequest` if media are no base64; nothing is decoded, and nothing copied whole."""
    for start in range(0, len(data), SLICE):
        if bytes(data[start : start + SLICE]).translate(None, ALPHABET):
            raise InvalidRequest("These media are no base64.", code="unsupported_media")


def accepted(mime: str) -> str:
    """Give the type under which to send media; all kinds of text go as plain text.

    Raises `InvalidRequest` that says what would be read instead.
    """
    found = normal(mime)
    if found in ACCEPTED:
        return found
    if is_text(found):
        return "text/plain"
    if not specific(found):
        raise InvalidRequest(UNTOLD, code="unsupported_media")
    instead = INSTEAD.get(found.partition("/")[0], OTHERWISE)
    raise InvalidRequest(f"The model does not read {found}. {instead}", code="unsupported_media")
