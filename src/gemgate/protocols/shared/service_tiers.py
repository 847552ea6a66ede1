"""How soon an answer is made, and at what price."""

from gemgate.hub.codec import Dropped

PATH = "service_tier"
TIERS = {"flex": "flex", "priority": "priority", "fast": "priority"}
DEFAULT = frozenset({"auto", "default", "standard"})


def service_tier(word: str | None, dropped: list[Dropped]) -> str | None:
    """Give Gemini's word for a tier, `None` for what happens anyway; a tier that nobody has joins `dropped`."""
    if word and word not in TIERS and word not in DEFAULT:
        dropped.append(Dropped(PATH, f"there is no tier {word[:80]!r} upstream"))
    return TIERS.get(word or "")
