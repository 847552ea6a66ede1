"""How an answer is written, as the request asks."""

from typing import Literal

from msgspec import Struct

Thinking = Literal["asked", "unasked", "off"]


class Style(Struct, frozen=True, kw_only=True):
    """The forms that one answer may have.

    `thinking`: a client that has asked for it is given a block of thinking for every signature, empty where there is no
    thought to show; one that has not is given those with thoughts alone; one that has switched it off is given none.
    `server_tools`: whether it has offered tools that the upstream runs, so that it knows their blocks; one that has not
    is told sources at the text, and in such blocks only where the text is over and a call ends the answer.
    """

    thinking: Thinking = "asked"
    server_tools: bool = True
