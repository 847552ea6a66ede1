"""What media are: their MIME type from its many spellings, from a file's name, from their first bytes.

Types are spelled as Gemini's own lists have them (notes §1.4, §8).
"""

import re
from binascii import Error, a2b_base64

from gemgate.hub.parts import Base64
from gemgate.protocols.shared.file_names import by_name
from gemgate.protocols.shared.magic_bytes import HEAD_BYTES, is_tagged, sniffed

TYPE = re.compile(r"[a-z0-9!#$&^_.+*-]{1,80}/[a-z0-9!#$&^_.+*-]{1,120}")

ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/jfif": "image/jpeg",
    "image/x-png": "image/png",
    "image/x-webp": "image/webp",
    "image/heic-sequence": "image/heic",
    "image/heif-sequence": "image/heif",
    "image/tif": "image/tiff",
    "image/x-ms-bmp": "image/bmp",
    "image/x-bmp": "image/bmp",
    "image/svg": "image/svg+xml",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-pn-wav": "audio/wav",
    "audio/x-mp3": "audio/mp3",
    "audio/mpeg3": "audio/mp3",
    "audio/x-mpeg-3": "audio/mp3",
    "audio/x-mpeg": "audio/mp3",
    "audio/mpga": "audio/mp3",
    "audio/x-aiff": "audio/aiff",
    "audio/aif": "audio/aiff",
    "audio/x-aac": "audio/aac",
    "audio/aacp": "audio/aac",
    "audio/x-hx-aac-adts": "audio/aac",
    "audio/x-flac": "audio/flac",
    "audio/x-ogg": "audio/ogg",
    "audio/vorbis": "audio/ogg",
    "audio/opus": "audio/ogg",
    "application/ogg": "audio/ogg",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-mp4": "audio/mp4",
    "audio/mp4a-latm": "audio/mp4",
    "video/quicktime": "video/mov",
    "video/x-quicktime": "video/mov",
    "video/x-mov": "video/mov",
    "video/x-m4v": "video/mp4",
    "video/m4v": "video/mp4",
    "application/mp4": "video/mp4",
    "video/x-msvideo": "video/avi",
    "video/msvideo": "video/avi",
    "video/vnd.avi": "video/avi",
    "video/flv": "video/x-flv",
    "video/x-ms-wmv": "video/wmv",
    "video/x-ms-asf": "video/wmv",
    "application/vnd.ms-asf": "video/wmv",
    "video/x-mpeg": "video/mpeg",
    "video/mpegps": "video/mpeg",
    "video/3gp": "video/3gpp",
    "video/3gpp2": "video/3gpp",
    "application/x-pdf": "application/pdf",
    "text/pdf": "application/pdf",
    "application/x-zip-compressed": "application/zip",
}

UNTOLD = frozenset(
    {
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-octet-stream",
        "application/binary",
        "application/x-binary",
        "application/unknown",
        "application/x-unknown",
        "unknown/unknown",
        "content/unknown",
        "application/download",
        "application/x-download",
        "application/force-download",
        "application/x-force-download",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    }
)
"""Labels of those who do not know, or left a default in place."""

LIKELY = {
    "image": "image/jpeg",
    "audio": "audio/mp3",
    "video": "video/mp4",
    "text": "text/plain",
    "application": "application/pdf",
}

TEXT_NAMES = (
    "json jsonl jsonlines x-json x-jsonlines x-ndjson ndjson json5 xml xml-dtd yaml x-yaml toml csv x-csv rtf "
    "javascript x-javascript ecmascript typescript x-typescript sql x-sql graphql x-sh x-shellscript x-bash "
    "x-python x-python-code x-php x-httpd-php x-ruby x-perl x-tex x-latex x-subrip x-tcl x-powershell"
)
TEXT_APPLICATIONS = frozenset(f"application/{name}" for name in TEXT_NAMES.split())
TEXT_ENDINGS = ("+json", "+xml", "+yaml")

KEPT = {
    "audio/mp3": frozenset({"audio/mpeg"}),
    "audio/ogg": frozenset({"video/ogg"}),
    "video/mp4": frozenset({"audio/mp4", "video/mov", "video/3gpp"}),
    "video/3gpp": frozenset({"audio/mp4"}),
    "video/webm": frozenset({"audio/webm"}),
    "video/x-matroska": frozenset({"audio/x-matroska"}),
    "video/mpeg": frozenset({"video/mpg"}),
    "video/wmv": frozenset({"audio/x-ms-wma"}),
    "image/heif": frozenset({"image/heic"}),
}
"""Labels that say more than the first bytes do, or the same in another word."""
TAGGED = frozenset({"audio/mpeg", "audio/aac", "audio/flac"})
ARCHIVES = frozenset({"application/zip", "application/gzip", "application/x-ole-storage"})
MARKUP = frozenset({"text/html", "image/svg+xml"})

HEAD_CHARACTERS = 256
"""How much base64 is looked at: it is longer than its bytes, and may be broken into lines."""
HEAD_DIGITS = (HEAD_BYTES // 3 + 1) * 4
STANDARD = bytes.maketrans(b"-_", b"+/")
DISREGARDED = b" \t\r\n="


def normal(mime: str) -> str:
    """Spell a type as Gemini's lists do: lower case, no parameters, no aliases; "" if it is none."""
    bare = mime.partition(";")[0].strip().lower()
    return ALIASES.get(bare, bare) if TYPE.fullmatch(bare) else ""


def specific(mime: str) -> str:
    """Give the normal type, or "" for a label that tells nothing: `video/*`, `application/octet-stream`."""
    found = normal(mime)
    return "" if "*" in found or found in UNTOLD else found


def assumed(mime: str) -> str:
    """Give the normal type, for `video/*` and its like the most likely one; "" if there is none."""
    return specific(mime) or LIKELY.get(normal(mime).removesuffix("/*"), "")


def decided(label: str, data: Base64, name: str = "") -> str:
    """Decide what base64 media are: their first bytes come before the label, and that before the name.

    A label or name that says more than the first bytes do is kept. Gives "" if nothing tells.
    """
    head = _head(data)
    found, told = sniffed(head), specific(label) or by_name(name)
    return told if not found or _is_kept(told, found, head) else found


def _is_kept(told: str, found: str, head: bytes) -> bool:
    if found in MARKUP:
        return is_text(told)
    if found in ARCHIVES:
        return told.startswith("application/") and told != "application/pdf" and not is_text(told)
    return told in KEPT.get(found, ()) or (told in TAGGED and is_tagged(head))


def _head(data: Base64) -> bytes:
    start = data[:HEAD_CHARACTERS]
    text = start.encode("ascii", "ignore") if isinstance(start, str) else bytes(start)
    digits = text.translate(STANDARD, DISREGARDED)[:HEAD_DIGITS]
    whole = len(digits) - (len(digits) % 4 == 1)
    try:
        return a2b_base64(digits[:whole] + b"==")[:HEAD_BYTES]
    except Error:
        return b""


def is_text(mime: str) -> bool:
    """Tell whether media of this type are to be read as text: prose, data, code."""
    found = normal(mime)
    kind, _, name = found.partition("/")
    if kind == "application":
        return found in TEXT_APPLICATIONS or name.endswith(TEXT_ENDINGS)
    return kind in ("text", "message")
