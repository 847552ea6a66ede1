"""The first bytes of real files, one for each kind."""

ZIP_HEADER = b"PK\x03\x04" + bytes(26)


def iso(brand: bytes, *compatible: bytes) -> bytes:
    """The first box of an ISO media file."""
    rest = brand + bytes(4) + b"".join(compatible)
    return (len(rest) + 8).to_bytes(4, "big") + b"ftyp" + rest + b"\x00\x00\x00\x08free"


def matroska(kind: bytes) -> bytes:
    """The head of an EBML file: versions, then the kind of document."""
    fields = b"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82" + bytes([0x80 | len(kind)])
    return b"\x1a\x45\xdf\xa3\x9f" + fields + kind


HEADS: dict[str, tuple[bytes, str]] = {
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "image/jpeg"),
    "jpeg with exif": (b"\xff\xd8\xff\xe1\x10\x00Exif\x00", "image/jpeg"),
    "webp": (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
    "heic": (iso(b"heic", b"mif1", b"heic"), "image/heic"),
    "heix": (iso(b"heix", b"mif1"), "image/heic"),
    "heic sequence": (iso(b"hevc", b"msf1"), "image/heic"),
    "heif": (iso(b"mif1", b"heic"), "image/heif"),
    "heif sequence": (iso(b"msf1", b"iso8"), "image/heif"),
    "avif": (iso(b"avif", b"mif1"), "image/avif"),
    "avif by its compatible brands": (iso(b"mif1", b"avif", b"miaf"), "image/avif"),
    "gif 87": (b"GIF87a\x01\x00\x01\x00", "image/gif"),
    "gif 89": (b"GIF89a\x01\x00\x01\x00", "image/gif"),
    "bmp": (b"BM\x3a\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00", "image/bmp"),
    "tiff, little end first": (b"II*\x00\x08\x00\x00\x00", "image/tiff"),
    "tiff, big end first": (b"MM\x00*\x00\x00\x00\x08", "image/tiff"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
    "svg as xml": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg width="9"/>', "image/svg+xml"),
    "wav": (b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00", "audio/wav"),
    "long wav": (b"RF64\xff\xff\xff\xffWAVEds64", "audio/wav"),
    "mp3": (b"\xff\xfb\x90\x64\x00\x00", "audio/mp3"),
    "mp3 with a checksum": (b"\xff\xfa\x90\x64", "audio/mp3"),
    "mp3 of MPEG 2": (b"\xff\xf3\x40\xc4", "audio/mp3"),
    "mp3 of MPEG 2.5": (b"\xff\xe3\x18\xc4", "audio/mp3"),
    "mp2": (b"\xff\xfd\x80\x04", "audio/mp3"),
    "mp3 with a tag": (b"ID3\x04\x00\x00\x00\x00\x00\x23TSSE", "audio/mp3"),
    "aiff": (b"FORM\x00\x00\x00\x2eAIFFCOMM", "audio/aiff"),
    "aifc": (b"FORM\x00\x00\x00\x2eAIFCFVER", "audio/aiff"),
    "aac of MPEG 4": (b"\xff\xf1\x50\x80\x00\x1f\xfc", "audio/aac"),
    "aac of MPEG 2": (b"\xff\xf9\x50\x80", "audio/aac"),
    "aac with a checksum": (b"\xff\xf0\x50\x80", "audio/aac"),
    "ogg": (b"OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00", "audio/ogg"),
    "flac": (b"fLaC\x00\x00\x00\x22", "audio/flac"),
    "m4a": (iso(b"M4A ", b"M4A ", b"mp42", b"isom"), "audio/mp4"),
    "audio book": (iso(b"M4B ", b"mp42"), "audio/mp4"),
    "mp4 isom": (iso(b"isom", b"isom", b"iso2", b"avc1", b"mp41"), "video/mp4"),
    "mp4 mp42": (iso(b"mp42", b"isom"), "video/mp4"),
    "mp4 avc1": (iso(b"avc1"), "video/mp4"),
    "m4v": (iso(b"M4V ", b"mp42"), "video/mp4"),
    "mp4 of a brand to come": (iso(b"zzz9"), "video/mp4"),
    "mpeg program": (b"\x00\x00\x01\xba\x44\x00", "video/mpeg"),
    "mpeg video": (b"\x00\x00\x01\xb3\x16\x00", "video/mpeg"),
    "mov": (iso(b"qt  ", b"qt  "), "video/mov"),
    "old mov": (b"\x00\x00\x00\x08wide\x00\x01\x02\x03mdat", "video/mov"),
    "mov that begins with its index": (b"\x00\x00\x1f\x2cmoov\x00\x00\x00\x6cmvhd", "video/mov"),
    "avi": (b"RIFF\x24\x00\x00\x00AVI LIST", "video/avi"),
    "flv": (b"FLV\x01\x05\x00\x00\x00\x09", "video/x-flv"),
    "webm": (matroska(b"webm"), "video/webm"),
    "mkv": (matroska(b"matroska"), "video/x-matroska"),
    "wmv": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "video/wmv"),
    "3gp": (iso(b"3gp4", b"isom"), "video/3gpp"),
    "3g2": (iso(b"3g2a"), "video/3gpp"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "application/pdf"),
    "pdf after a line": (b"\r\n%PDF-1.4", "application/pdf"),
    "html": (b"\n<!DOCTYPE html><html>", "text/html"),
    "html without a doctype": (b'<HTML lang="en">', "text/html"),
    "zip": (ZIP_HEADER + b"a.txt", "application/zip"),
    "empty zip": (b"PK\x05\x06" + bytes(18), "application/zip"),
    "docx": (
        ZIP_HEADER + b"word/document.xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "xlsx": (ZIP_HEADER + b"xl/workbook.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "pptx": (
        ZIP_HEADER + b"ppt/presentation.xml",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    "gzip": (b"\x1f\x8b\x08\x00", "application/gzip"),
    "doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "application/x-ole-storage"),
}
"""What it is: the bytes, and the type that they tell."""
