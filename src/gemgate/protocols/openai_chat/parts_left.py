"""What the parts of messages say that nothing here reads."""

import msgspec
from msgspec import Raw, Struct, json

from gemgate.hub.codec import Dropped
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.content import THOUGHT_TYPES
from gemgate.protocols.shared.empty import NOTHING
from gemgate.protocols.shared.unknown import UNKNOWN

KNOWN = frozenset(field.name for field in msgspec.structs.fields(wire.ContentPart)) | {
    # They change nothing in the answer, or are this server's own words coming back.
    *("cache_control", "id", "index", "annotations", "logprobs"),
}


class _Message(Struct):
    content: Raw = Raw(b"null")


decode = json.Decoder(list[_Message]).decode


def unknown_parts(messages: Raw) -> list[Dropped]:
    """Record the members of content parts that say something and are not known."""
    found: list[Dropped] = []
    for number, message in enumerate(decode(messages)):
        if bytes(memoryview(message.content)[:1]) != b"[":
            continue
        for index, part in enumerate(wire.decode_parts(message.content)):
            if part.keys() <= KNOWN:
                continue
            found += (
                Dropped(f"messages.{number}.content.{index}.{name}", UNKNOWN)
                for name, value in part.items()
                if name not in KNOWN and not _says_nothing(part, value)
            )
    return found


def _says_nothing(part: dict[str, Raw], value: Raw) -> bool:
    return bytes(memoryview(value)[:16]) in NOTHING or _is_thought(part)


def _is_thought(part: dict[str, Raw]) -> bool:
    return bytes(part.get("type", b""))[1:-1].decode() in THOUGHT_TYPES
