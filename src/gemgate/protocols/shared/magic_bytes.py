"""What media are, told by their first bytes (notes §8).

Short marks that might begin a plain text (`BM`, `ID3`, `FLV`) count only with the binary bytes that follow them.
"""

HEAD_BYTES = 64
"""How much of the media has to be seen."""

STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x30\x26\xb2\x75", "video/wmv"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
CHUNKED = {
    (b"RIFF", b"WEBP"): "image/webp",
    (b"RIFF", b"WAVE"): "audio/wav",
    (b"RF64", b"WAVE"): "audio/wav",
    (b"RIFF", b"AVI "): "video/avi",
    (b"FORM", b"AIFF"): "audio/aiff",
    (b"FORM", b"AIFC"): "audio/aiff",
}
"""Containers that name themselves, a length, and what they hold."""
BRANDS = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"M4P ": "audio/mp4",
    b"F4A ": "audio/mp4",
    b"qt  ": "video/mov",
}
"""Of ISO media files; any other is some MP4."""
OLD_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"pnot"})
"""With which QuickTime files began before they named a brand."""
OFFICE = {
    b"word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    b"xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    b"ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
"""The folder of a ZIP file's first entry."""
BLANK = b"\xef\xbb\xbf \t\r\n\x00"


def sniffed(head: bytes) -> str:
    """Tell the MIME type by the first bytes; "" if they tell nothing."""
    for start, mime in STARTS:
        if head.startswith(start):
            return _packed(head) if mime == "application/zip" else mime
    found = CHUNKED.get((head[:4], head[8:12]), "")
    return found or _iso(head) or _matroska(head) or _sound(head) or _bitmap(head) or _document(head)


def _packed(head: bytes) -> str:
    name = head[30:]
    return next((mime for folder, mime in OFFICE.items() if name.startswith(folder)), "application/zip")


def _iso(head: bytes) -> str:
    if head[4:8] in OLD_ATOMS and head[0] == 0:
        return "video/mov"
    if head[4:8] != b"ftyp":
        return ""
    brand = head[8:12]
    if brand[:2] == b"3g":
        return "video/3gpp"
    found = BRANDS.get(brand, "video/mp4")
    # The general brand of still images: what kind they are stands among the compatible ones.
    return "image/avif" if found == "image/heif" and b"avif" in head[16:] else found


def _matroska(head: bytes) -> str:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return ""
    return "video/x-matroska" if b"matroska" in head else "video/webm"


def _sound(head: bytes) -> str:
    """Know MPEG's sound by its tag or by the header of its first frame."""
    if is_tagged(head):
        return "audio/mp3"
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return ""
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    version, layer, rates = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] if len(head) > 2 else 0
    # Layer I is no longer about, and its header is the byte order mark of UTF-16.
    sensible = version != 1 and layer in (1, 2) and rates >> 4 != 15 and rates >> 2 & 3 != 3
    return "audio/mp3" if sensible else ""


def is_tagged(head: bytes) -> bool:
    """Tell whether an ID3 tag comes first: mostly before MP3, but also before AAC or FLAC."""
    return head.startswith(b"ID3") and head[3:4] in (b"\x02", b"\x03", b"\x04")


def _bitmap(head: bytes) -> str:
    return "image/bmp" if head.startswith(b"BM") and head[6:10] == b"\x00\x00\x00\x00" else ""


def _document(head: bytes) -> str:
    text = head.lstrip(BLANK).lower()
    if text.startswith(b"%pdf-"):
        return "application/pdf"
    if text.startswith((b"<!doctype html", b"<html")):
        return "text/html"
    if text.startswith((b"<svg", b"<!doctype svg")) or (text.startswith((b"<?xml", b"<!--")) and b"<svg" in text):
        return "image/svg+xml"
    return ""
