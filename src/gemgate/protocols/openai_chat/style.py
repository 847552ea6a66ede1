"""How an answer is written, as the request or a setting asks."""

from typing import Literal

from msgspec import Struct

AudioFormat = Literal["wav", "pcm16"]
Images = Literal["content", "field"]


class Style(Struct, frozen=True, kw_only=True):
    """The forms that one answer may have.

    `images`: within `content`, or in a field of their own. `custom`: functions that stand for tools called with free
    text. `legacy_calls`: one call in `function_call`, as before there were tools.
    """

    include_usage: bool = False
    images: Images = "content"
    custom: frozenset[str] = frozenset()
    legacy_calls: bool = False
    audio: AudioFormat = "pcm16"
