"""The things that Gemini keeps for a key's project: their names, and where requests and replies mention them.

A name is a collection and an id (`files/abc`); what lies below it (`fileSearchStores/x/documents/y`) belongs to the
same owner. Source: notes §2.2 and §2.4.
"""

import re
from datetime import datetime
from mmap import mmap

import msgspec
from msgspec import Raw, Struct, json

DAY_SECONDS = 24 * 3600.0
LIFETIME_SECONDS = {
    "files": 2 * DAY_SECONDS,
    "models": 7 * DAY_SECONDS,  # operations
    "interactions": 56 * DAY_SECONDS,
    "auth_tokens": 2 * DAY_SECONDS,
    "uploads": 7 * DAY_SECONDS,
}
LASTING_SECONDS = 3650 * DAY_SECONDS
GRACE_SECONDS = 3600.0
"""An owner is remembered a little longer than the resource lives."""

COLLECTIONS = (
    "agents",
    "batches",
    "cachedContents",
    "corpora",
    "credentials",
    "environments",
    "fileSearchStores",
    "files",
    "triggers",
    "tunedModels",
    "voices",
    "webhooks",
)
"""What a request may name in its body."""

# A name is a whole string, or the end of an address; a query, a method or a path may follow.
REFERENCE = re.compile(
    rb'"(?:https?://[^"\s\\]{1,200}/)?((?:%s)/[\w-]{1,80})(?=["/?:#])' % "|".join(COLLECTIONS).encode()
)
PREVIOUS = re.compile(rb'"previous_?[iI]nteraction_?[iI]d"\s*:\s*"([\w.-]{1,200})"')
ESCAPED = re.compile(rb"\\(?:/|u00[2-7])")
"""Spellings of plain characters that would hide a name."""
SYNTAX = ((b"\\u0022", b'\\"'), (b"\\u005c", b"\\\\"), (b"\\u005C", b"\\\\"))
"""What must stay escaped: a quote or a backslash in a text would end it."""

MARKS = (b"s/", b"corpora/", b"nteraction")
"""Without any of these there is no reference: nearly every request is done after looking for them."""

LEFT_BEHIND = re.compile(rb'"(?:uri|responsesFile|fileUri|fileName)"\s*:\s*"(?:https?://[^"\s\\]*/)?(files/[\w-]+)')


def owned_name(path: str) -> str | None:
    """Give the name whose owner decides over a path (decoded, without version and query).

    `None` for models and for collections, which belong to nobody; everything below them is owned.
    """
    segments = path.split("/")
    segments[-1] = segments[-1].partition(":")[0]
    depth = 4 if segments[0] == "models" else 2
    if len(segments) < depth:
        return None
    segments[depth - 1] = segments[depth - 1].partition(":")[0]
    return "/".join(segments[:depth])


def is_collection(path: str) -> bool:
    """Whether a path names a collection of owned things, so that a list of it has to be filtered."""
    segments = path.split("/")
    return len(segments) == 3 if segments[0] == "models" else len(segments) == 1


def references(body: bytes | mmap) -> list[str]:
    """List the resources that a request names; one that is no JSON is searched all the same."""
    text: bytes | mmap = _unescaped(body[:]) if ESCAPED.search(body) else body
    if all(text.find(mark) < 0 for mark in MARKS):
        return []
    names = [found[1].decode() for found in REFERENCE.finditer(text)]
    names += (f"interactions/{found[1].decode()}" for found in PREVIOUS.finditer(text))
    return list(dict.fromkeys(names))


def _unescaped(text: bytes) -> bytes:
    """Write out what could hide a name, in whatever bytes.

    A decoder will not do: it refuses what the upstream may take, and of two members of one name it sees one.
    """
    text = text.replace(b"\\/", b"/")
    if b"\\u00" not in text:
        return text
    for escaped, kept in SYNTAX:
        text = text.replace(escaped, kept)
    return text.decode("raw_unicode_escape", "replace").encode("latin-1", "replace")


class _Document(Struct, rename="camel"):
    name: str = ""
    id: str = ""
    expire_time: str = ""
    expiration_time: str = ""
    file: Raw = Raw(b"{}")
    interaction: Raw = Raw(b"{}")


class Made(Struct, frozen=True):
    """A resource that a reply tells of; `expires_at` in Unix seconds."""

    name: str
    expires_at: float


def made(body: bytes, collection: str, now: float) -> list[Made]:
    """List the resources that a reply tells of: itself, and the files that a finished job has left."""
    found: list[Made] = []
    document = _document(body)
    for candidate in (document, _document(bytes(document.file)), _document(bytes(document.interaction))):
        name = candidate.name or (f"{collection}/{candidate.id}" if candidate.id else "")
        name = owned_name(name) or ""
        if name:
            found.append(Made(name, _expiry(name, candidate, now)))
    names = dict.fromkeys(match[1].decode() for match in LEFT_BEHIND.finditer(body))
    found += (Made(name, now + LIFETIME_SECONDS["files"] + GRACE_SECONDS) for name in names)
    return found


def _document(body: bytes) -> _Document:
    try:
        return json.decode(body, type=_Document)
    except msgspec.MsgspecError:
        return _Document()


def _expiry(name: str, document: _Document, now: float) -> float:
    stated = document.expire_time or document.expiration_time
    if stated:
        try:
            return datetime.fromisoformat(re.sub(r"\.(\d{6})\d+", r".\1", stated)).timestamp() + GRACE_SECONDS
        except ValueError:
            pass  # a form newer than this file: the collection's own lifetime will do
    return now + LIFETIME_SECONDS.get(name.partition("/")[0], LASTING_SECONDS) + GRACE_SECONDS


class Page(Struct, frozen=True):
    """One page of a list: its entries as JSON, each with its name, and the token of the next page."""

    member: str
    entries: list[tuple[str, Raw]]
    next_token: str


class _Entry(Struct):
    name: str = ""
    id: str = ""


def read_page(body: bytes, collection: str) -> Page | None:
    """Read a page of a list; `None` if it is none."""
    try:
        members = json.decode(body, type=dict[str, Raw])
        member = next((name for name in (collection.rpartition("/")[2], "operations") if name in members), None)
        if member is None:
            return Page(collection.rpartition("/")[2], [], "")
        items = json.decode(members[member], type=list[Raw])
        entries = [(_entry_name(json.decode(item, type=_Entry), collection), item) for item in items]
        return Page(member, entries, json.decode(members.get("nextPageToken", b'""'), type=str))
    except msgspec.MsgspecError:
        return None


def _entry_name(entry: _Entry, collection: str) -> str:
    return entry.name or f"{collection}/{entry.id}"


def write_page(member: str, entries: list[Raw], next_token: str) -> bytes:
    """Write a page of a list; an empty one has no members, as upstream."""
    document: dict[str, object] = {}
    if entries:
        document[member] = entries
    if next_token:
        document["nextPageToken"] = next_token
    return json.encode(document)
