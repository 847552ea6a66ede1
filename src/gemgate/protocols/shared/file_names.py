"""What a file is, told by its name."""

import re
from urllib.parse import unquote

PLAIN_TEXT = (
    "txt text log rst adoc org tex bib srt vtt tsv ini cfg conf properties env diff patch sql graphql proto "
    "py pyi ipy js mjs cjs jsx ts mts cts tsx vue svelte java kt kts scala groovy gradle c h cc cpp cxx hh hpp cs "
    "m mm swift go rs rb php pl pm lua r jl dart ex exs erl hrl hs clj cljs elm ml mli fs f90 pas asm s v vhd sv "
    "sh bash zsh fish ps1 bat cmd awk sed mk cmake dockerfile makefile tf nix asp aspx jsp cgi scss sass less"
)
"""Prose, notes, settings and code."""
EXTENSIONS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "jpe": "image/jpeg",
    "jfif": "image/jpeg",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "avif": "image/avif",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "svg": "image/svg+xml",
    "ico": "image/x-icon",
    "wav": "audio/wav",
    "wave": "audio/wav",
    "mp3": "audio/mp3",
    "mpga": "audio/mp3",
    "aif": "audio/aiff",
    "aiff": "audio/aiff",
    "aifc": "audio/aiff",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "m4b": "audio/mp4",
    "weba": "audio/webm",
    "wma": "audio/x-ms-wma",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mpeg": "video/mpeg",
    "mpe": "video/mpeg",
    "mpg": "video/mpg",
    "mov": "video/mov",
    "qt": "video/mov",
    "avi": "video/avi",
    "flv": "video/x-flv",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "ogv": "video/ogg",
    "wmv": "video/wmv",
    "asf": "video/wmv",
    "3gp": "video/3gpp",
    "3gpp": "video/3gpp",
    "3g2": "video/3gpp",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "md": "text/markdown",
    "markdown": "text/markdown",
    "html": "text/html",
    "htm": "text/html",
    "xhtml": "application/xhtml+xml",
    "css": "text/css",
    "xml": "text/xml",
    "rtf": "text/rtf",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "ndjson": "application/x-ndjson",
    "ipynb": "application/json",
    "geojson": "application/json",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "toml": "application/toml",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "epub": "application/epub+zip",
    "zip": "application/zip",
    "gz": "application/gzip",
} | dict.fromkeys(PLAIN_TEXT.split(), "text/plain")
PROGRAMS = frozenset({"php", "asp", "aspx", "jsp", "cgi", "pl"})
"""In an address they say who answers, not what comes."""


def by_name(name_or_url: str) -> str:
    """Tell the MIME type by the extension of a file's name or of a URL's path; "" if it is unknown."""
    _, is_url, rest = name_or_url.partition("://")
    path = unquote(re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")[2]) if is_url else name_or_url
    last = re.split(r"[/\\]", path)[-1].strip().lower()
    _, dot, extension = last.rpartition(".")
    if is_url and (not dot or extension in PROGRAMS):
        return ""
    return EXTENSIONS.get(extension, "")
