"""How an answer is written, as the request asks."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Raw, Struct

Reasoning = Literal["asked", "unasked"]
Framing = Literal["events", "lines"]

CallKind = Literal[
    "custom",
    "local_shell",
    "shell",
    "apply_patch",
    "computer",
    "tool_search",
]
"""The items, other than `function_call`, by which clients are asked to run a tool."""


class Called(Struct, frozen=True):
    """What a function of the call's stands for, where it is not simply a function of that name.

    `name` and `namespace` are the client's own words for it; `kind` is `None` for a function.
    """

    kind: CallKind | None = None
    name: str = ""
    namespace: str = ""


class Style(Struct, frozen=True, kw_only=True):
    """The forms that one answer may have.

    `echo` has the members of the request, which a response repeats. `called` tells by the names of the call's functions
    which of them stand for other tools. `reasoning`: a client that has asked for it is given an item for every
    signature, empty where there is no thought to show; one that has not is given those with thoughts alone.
    `framing`: server-sent events, or one line of JSON an event. `response_id` (bare) is set where it was told before;
    `queued` writes `response.queued` after `response.created`, for work in the background. `stored` is whether the
    response can be asked for later, `keeps_parts` whether somebody will ask for the parts that its items were made of,
    `conversation_id` the conversation that it joins. `compacts`: what the model says is a summary of the conversation,
    which goes into an item that takes its place.
    """

    echo: Mapping[str, Raw] = {}
    called: Mapping[str, Called] = {}
    reasoning: Reasoning = "asked"
    framing: Framing = "events"
    response_id: str = ""
    queued: bool = False
    stored: bool = False
    keeps_parts: bool = False
    conversation_id: str = ""
    compacts: bool = False
