"""The tools that the upstream runs itself, and what of their settings is lost."""

from collections.abc import Mapping

from msgspec import Raw, json

from gemgate.hub.call import BuiltIn, BuiltInKind
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Vendor
from gemgate.protocols.openai_responses import wire, wire_tools
from gemgate.protocols.shared.aspect_ratios import aspect_ratio
from gemgate.protocols.shared.empty import EMPTY, NOTHING
from gemgate.protocols.shared.native import GOOGLE
from gemgate.protocols.shared.nested import read_or_none
from gemgate.protocols.shared.raw_json import JsonField, is_given, is_object, plain_text
from gemgate.protocols.shared.unknown import UNKNOWN

DEFAULTS: dict[str, frozenset[bytes]] = {
    "search_context_size": frozenset({b'"medium"'}),
    "search_content_types": frozenset({b'["text"]'}),
    "background": frozenset({b'"auto"', b'"opaque"'}),
    "output_format": frozenset({b'"png"'}),
    "output_compression": frozenset({b"100"}),
    "quality": frozenset({b'"auto"'}),
    "action": frozenset({b'"auto"'}),
    "input_fidelity": frozenset({b'"low"'}),
}
"""Settings that ask for what happens anyway."""

NO_SETTINGS = frozenset(
    (
        "type",
        "name",
        "external_web_access",
        "container",
        "size",
        "moderation",
        "partial_images",
        "allowed_callers",
        "defer_loading",
        "cache_control",
    )
)
"""Members that are read elsewhere, or change nothing in the answer."""

LARGEST_PIXELS = 1_536
"""Of the longer side, as far as a picture has the size that is asked for, more or less."""


def own_tool(kind: BuiltInKind, tool: wire_tools.Tool, raw: Raw, path: str, dropped: list[Dropped]) -> BuiltIn:
    """Offer a tool of the upstream's; settings that it does not have join `dropped`."""
    members = wire.decode_members(raw)
    dropped += (
        Dropped(f"{path}.{name}", UNKNOWN)
        for name, value in members.items()
        if name not in NO_SETTINGS and not _says_nothing(name, value)
    )
    if kind == "code_execution" and "container" in members:
        _container(members["container"], f"{path}.container", dropped)
    size = plain_text(tool.size) if kind == "image_generation" else ""
    return BuiltIn(kind, _shaped(size, f"{path}.size", dropped)) if size not in ("", "auto") else BuiltIn(kind)


def _says_nothing(name: str, value: Raw) -> bool:
    given = bytes(value)
    if given in NOTHING or given in DEFAULTS.get(name, ()):
        return True
    if not is_object(value):
        return False
    members = read_or_none(wire.decode_members, value) or {}
    return all(bytes(inner) in EMPTY for name, inner in members.items() if name != "type")


def _container(raw: Raw, path: str, dropped: list[Dropped]) -> None:
    """Record what is asked of the place where code runs; there is one, empty and without a network."""
    if not is_given(raw) or bytes(raw) in EMPTY:
        return
    found = read_or_none(wire_tools.decode_container, raw) if is_object(raw) else None
    if found is None:
        dropped.append(Dropped(path, "code runs in the upstream's own container, where nothing is kept"))
        return
    wishes: Mapping[str, JsonField] = {
        "file_ids": found.file_ids,
        "memory_limit": found.memory_limit,
        "network_policy": found.network_policy,
        "skills": found.skills,
    }
    dropped += (Dropped(f"{path}.{name}", UNKNOWN) for name, wish in wishes.items() if _is_wish(wish))


def _is_wish(raw: JsonField) -> bool:
    if not is_given(raw) or bytes(raw) in (*EMPTY, b'"1g"'):
        return False
    policy = read_or_none(wire_tools.decode_typed, raw) if is_object(raw) else None
    return policy is None or policy.type != "disabled"


def _shaped(size: str, path: str, dropped: list[Dropped]) -> Vendor | None:
    """Put a size of pictures into the upstream's words, which are proportions alone."""
    ratio = aspect_ratio(size)
    if ratio is None:
        dropped.append(Dropped(path, f"{size[:40]!r} is no size"))
        return None
    if any(side.isdigit() and int(side) > LARGEST_PIXELS for side in size.lower().split("x")):
        dropped.append(Dropped(path, "the model has sizes of its own; the proportions are kept"))
    return Vendor(GOOGLE, json.encode({"aspectRatio": ratio}).decode())
