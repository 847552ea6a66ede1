"""How much the model thinks, and whether its thoughts are shown."""

from msgspec import Raw, Struct

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Reasoning
from gemgate.hub.codec import Dropped
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.style import Reasoning as Told
from gemgate.protocols.shared.efforts import effort
from gemgate.protocols.shared.unknown import UNKNOWN, unknown

PATH = "reasoning"
ENCRYPTED = "reasoning.encrypted_content"
"""What is to be included by who keeps signatures."""

SUMMARIES = {"auto": True, "concise": True, "detailed": True, "none": False, "off": False}
"""Words for a summary, and whether they ask for one; the model has one kind of it."""

KNOWN = frozenset(("effort", "summary", "generate_summary", "mode", "context"))
"""`context` needs nothing: the model is always given all of its earlier thinking that there is."""


class Wish(Struct, frozen=True):
    """What a request says about thinking, where, and what of it is lost."""

    reasoning: Reasoning = Reasoning()
    paths: dict[str, str] = {}
    dropped: tuple[Dropped, ...] = ()


def wish(given: wire.Reasoning | None, raw: Raw | None) -> Wish:
    """Read `reasoning`; raises `InvalidRequest`."""
    if given is None or raw is None:
        return Wish()
    members = wire.decode_members(raw)
    dropped = unknown(members, KNOWN, PATH)
    if bytes(members.get("mode", b"null")) not in (b"null", b'""', b'"standard"', b'"auto"'):
        dropped.append(Dropped(f"{PATH}.mode", UNKNOWN))
    old = not given.summary and bool(given.generate_summary)
    place = f"{PATH}.generate_summary" if old else f"{PATH}.summary"
    shown = _shown(given.generate_summary if old else given.summary, place)
    paths = {"reasoning.effort": f"{PATH}.effort", "reasoning.include_thoughts": place}
    amount = effort(given.effort, f"{PATH}.effort")
    return Wish(Reasoning(effort=amount, include_thoughts=shown), paths, tuple(dropped))


def told(request: wire.Request) -> Told:
    """Say whether the client expects items of reasoning; who wants no thinking does not ask for them by that."""
    given = request.reasoning
    if ENCRYPTED in (request.include or ()):
        return "asked"
    if given is None:
        return "unasked"
    words = (given.summary or given.generate_summary or "").lower()
    thinks = bool(given.effort) and effort(given.effort, PATH) != "none"
    return "asked" if SUMMARIES.get(words) or thinks else "unasked"


def _shown(word: str | None, path: str) -> bool | None:
    if not word:
        return None
    found = SUMMARIES.get(word.lower())
    if found is None:
        raise InvalidRequest(f"{word[:80]!r} is no kind of summary. It is one of {', '.join(SUMMARIES)}.", param=path)
    return found
