"""Members of a request that nothing here reads."""

from collections.abc import Collection, Mapping

from msgspec import Raw

from gemgate.hub.codec import Dropped
from gemgate.protocols.shared.empty import NOTHING

UNKNOWN = "nothing upstream corresponds to it"
"""Why such a member is dropped."""


def unknown(members: Mapping[str, Raw], known: Collection[str], path: str = "") -> list[Dropped]:
    """Record the members that say something and are not known; `path` is where they stand, "" at the top."""
    lead = f"{path}." if path else ""
    return [
        Dropped(f"{lead}{name}", UNKNOWN)
        for name, value in members.items()
        if name not in known and bytes(value) not in NOTHING
    ]
