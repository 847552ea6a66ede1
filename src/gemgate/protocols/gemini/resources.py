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

PUBLIC = frozenset({"models"})
"""Collections that belong to nobody; operations below them do."""

REFERENCE = re.compile(
    rb'"(?:https?://[^"\s\\]{1,200}/)?'
    rb'((?:files|cachedContents|fileSearchStores|tunedModels|batches|voices)/[\w-]{1,80})"'
)
PREVIOUS = re.compile(rb'"previous_?[iI]nteraction_?[iI]d"\s*:\s*"([\w.-]{1,200})"')
MARKS = (b"s/", b"nteraction")
"""Without these there is no reference: nearly every request is done after looking for them."""

OPERATION = re.compile(r"models/[\w.-]+/operations/[\w.-]+")
LEFT_BEHIND = re.compile(rb'"(?:uri|responsesFile|fileUri|fileName)"\s*:\s*"(?:https?://[^"\s\\]*/)?(files/[\w-]+)')


def owned_name(path: str) -> str | None:
    """Give the name whose owner decides over a path (without version, method and query); `None` for public ones."""
    if found := OPERATION.match(path):
        return found[0]
    collection, _, rest = path.partition("/")
    if collection in PUBLIC or not rest:
        return None
    return f"{collection}/{rest.split('/')[0].split(':')[0]}"


def references(body: bytes | mmap) -> list[str]:
    """List the resources that a request names: a string that is nothing but a name, or a file's address."""
    if body.find(MARKS[0]) < 0 and body.find(MARKS[1]) < 0:
        return []
    names = [found[1].decode() for found in REFERENCE.finditer(body)]
    names += (f"interactions/{found[1].decode()}" for found in PREVIOUS.finditer(body))
    return list(dict.fromkeys(names))


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
        member = next((name for name in (collection, "operations") if name in members), None)
        if member is None:
            return Page(collection, [], "")
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
