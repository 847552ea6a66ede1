"""The conversation of a request: its input, and what the server keeps of what came before → the hub's messages.

Items come in the order of the conversation: what is kept, then the request's own. Instructions are the system text,
and after them the messages of the system or a developer that come before anybody else's; later ones stay where they
are, as the user's words.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec
from msgspec import Raw, Struct

from gemgate.errors import GemgateError, InvalidRequest, NotFound
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Message, Part, Text, Thought, ToolResult
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.calls_in import CALLS, call
from gemgate.protocols.openai_responses.compaction import MAX_BYTES, SUMMARY, introduced, opened_summary
from gemgate.protocols.openai_responses.content import answered, told
from gemgate.protocols.openai_responses.hosted import code_run, image_made
from gemgate.protocols.openai_responses.items import (
    IMAGE,
    SUMMARIES,
    Listed,
    holds_image,
    is_reference,
    listed,
    listed_items,
    references,
)
from gemgate.protocols.openai_responses.kept import KeptItem
from gemgate.protocols.openai_responses.namespaces import flat
from gemgate.protocols.openai_responses.reading import KEPT, Reading
from gemgate.protocols.openai_responses.results import RESULTS, Given, own_result, result
from gemgate.protocols.openai_responses.shortened import shortened
from gemgate.protocols.shared.images import OPENING
from gemgate.protocols.shared.nested import read, read_or_none
from gemgate.protocols.shared.raw_json import JsonField, is_given, object_text
from gemgate.protocols.shared.reading import unreadable
from gemgate.protocols.shared.seals import CALL, CODE, opened

__all__ = ["Conversation", "Past", "conversation", "listed_items", "references"]

ROLES = "user, assistant, system, developer"
SYSTEM = frozenset({"system", "developer"})

TRIGGER = "compaction_trigger"
"""Asks for no answer, but for the conversation to be made short."""
SILENT = frozenset({"web_search_call", "file_search_call", "configuration_update"})
"""Items that tell the model nothing: what a search found is in the answer's text."""
NO_SERVERS = "the upstream connects to no servers of tools"
LOST = {
    "mcp_list_tools": NO_SERVERS,
    "mcp_approval_request": NO_SERVERS,
    "mcp_approval_response": NO_SERVERS,
    IMAGE: "its image is not in the request, and not kept here",
}
"""Why other items are left out."""
FOREIGN_SUMMARY = "only the server that wrote this summary can read it"
SPOILT_SUMMARY = "this summary cannot be read, or is too long"

MAX_SUMMARIES = 2 * MAX_BYTES
"""How much the summaries of a request may unpack to; with the last it may be one more."""


class Past(Struct, frozen=True):
    """What the server keeps and a request refers to.

    `items` come before the request's own input; `referred` holds by id what its `item_reference`s mean.
    """

    items: Sequence[KeptItem] = ()
    referred: Mapping[str, KeptItem] = {}


class Conversation(Struct, frozen=True, kw_only=True):
    """What was said.

    `paths` tells where in the request each of the media and results stood, `remote` whether any media are at an
    address. `defined` are tools that are defined among the items, with their paths; `named` the functions that are
    called, by the hub's names; `families` the models whose signatures came along. What is kept stands at `input`.
    """

    system: tuple[Part, ...] = ()
    messages: tuple[Message, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    paths: dict[str, str] = {}
    remote: bool = False
    defined: tuple[tuple[str, Raw], ...] = ()
    named: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset()
    compacts: bool = False


def conversation(given: JsonField, past: Past, instructions: JsonField) -> Conversation:
    """Read a conversation; raises `InvalidRequest`, and `NotFound` for a reference to what is not kept.

    A reference adds nothing to what the conversation already holds, be that kept, or an item of the request.
    """
    try:
        return _conversation(given, past, instructions)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error


def _conversation(given: JsonField, past: Past, instructions: JsonField) -> Conversation:
    talk = _Talk(listed(given, "input"), past)
    talk.instruct(listed(instructions, "instructions"))
    for kept in shortened(past.items):
        talk.add_kept(kept)
    talk.add_input()
    reading = talk.reading
    reading.close()
    return Conversation(
        system=tuple(reading.system),
        messages=tuple(reading.messages),
        dropped=tuple(reading.dropped),
        paths=reading.paths,
        remote=reading.remote,
        defined=tuple(reading.defined),
        named=frozenset(reading.names.values()),
        families=frozenset(reading.families),
        compacts=reading.compacts,
    )


class _Talk:
    """Translates items, one after the other."""

    def __init__(self, given: Listed, past: Past) -> None:
        self.reading = Reading()
        self._given = given
        self._past = past
        self._room = MAX_SUMMARIES

    def instruct(self, instructions: Listed) -> None:
        """Take what the system says besides the conversation."""
        for number, item in enumerate(instructions.items):
            path = instructions.path(number)
            if isinstance(item, str):
                self.reading.add_system([(Text(item), path)] if item else [])
            elif item.type in (None, "message"):
                self.reading.add_system(told(item.content, f"{path}.content"))
            else:
                self.reading.lose(path, "instructions are messages")

    def add_input(self) -> None:
        """Append the request's own items, but for those that are kept and come back once more."""
        reading = self.reading
        called = frozenset(reading.names) if self._past.items else frozenset[str]()
        for number, item in enumerate(self._given.items):
            if type(item) is str:
                reading.add_user_text(item)
                continue
            assert isinstance(item, wire.Item)
            if self._past.items and self._comes_again(item, called):
                continue
            content = item.content
            if type(content) is str and (item.type is None or item.type == "message"):
                # By far the most frequent: text, and nothing else.
                if item.role == "user":
                    reading.add_user_text(content)
                    continue
                if item.role == "assistant" and OPENING not in content:
                    reading.add_model_text(content)
                    continue
            self._add(item, self._given.path(number))

    def add_kept(self, kept: KeptItem) -> None:
        """Append an item of the server's own; one that cannot be read any more is left out."""
        self.reading.kept = True
        try:
            if kept.parts is not None:
                self.reading.add_native(kept.parts)
            else:
                self._add(wire.decode_item(kept.item), KEPT)
        except (GemgateError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        finally:
            self.reading.kept = False

    def _comes_again(self, item: wire.Item, called: frozenset[str]) -> bool:
        """Whether an item is kept already; `called` are the ids of the calls that are."""
        if is_reference(item):
            return False
        return item.id in self._kept_ids or (item.type in CALLS and item.call_id in called)

    def _add(self, item: wire.Item, path: str) -> None:
        kind = item.type
        if is_reference(item):
            self._refer(item.id or "")
        elif kind is None or kind == "message":
            self._message(item, path)
        elif kind == "reasoning":
            self._reasoning(item)
        elif kind in CALLS:
            self._call(item, path)
        elif kind in RESULTS:
            self._result(item, result(item, path), f"{path}.output")
        elif kind == "code_interpreter_call":
            self.reading.add_model([(part, path) for part in code_run(item)])
        elif kind == IMAGE:
            self._image(item, path)
        elif kind in SUMMARIES:
            self._summary(item, path)
        elif kind in ("additional_tools", "tool_search_output"):
            self._tools(item, path)
        elif kind == TRIGGER:
            self.reading.compacts = self.reading.compacts or not self.reading.kept
        elif kind not in SILENT:
            self._lose(kind, path)

    def _message(self, item: wire.Item, path: str) -> None:
        reading, where = self.reading, f"{path}.content"
        role = item.role
        if role == "user":
            reading.add_user(told(item.content, where))
        elif role == "assistant":
            reading.add_model(answered(item.content, where, reading.lose))
        elif role in SYSTEM and reading.early:
            reading.add_system(told(item.content, where))
        elif role in SYSTEM:
            reading.add_user(told(item.content, where))
        elif role is None and item.type is None:
            raise InvalidRequest("An item must say its type, and a message its role.", param=f"{path}.type")
        else:
            words = f"{role[:80]!r} is no role" if role else "A message must have a role"
            raise InvalidRequest(f"{words}. It is one of {ROLES}.", param=f"{path}.role")

    def _reasoning(self, item: wire.Item) -> None:
        """Take the signature that this server has sealed; without it a thought is of no use to the model."""
        seal = opened(item.encrypted_content or "")
        if seal is None or seal.signature is None:
            return
        if seal.target == "thought":
            summary = read_or_none(wire.decode_summary, item.summary) if is_given(item.summary) else None
            text = "".join(piece.text for piece in summary or () if piece.text)
            self.reading.add_model([(Thought(text, seal.signature), "")])
        elif seal.target.startswith((CALL, CODE)):
            self.reading.add_signature(seal.target, seal.signature)
        self.reading.families.add(seal.signature.family)

    def _call(self, item: wire.Item, path: str) -> None:
        if item.type == "tool_search_call" and not _is_clients(item):
            return  # a server has searched, and what it found is said by its output
        made = call(item, path)
        came = own_result(item, path) if item.type == "mcp_call" else None
        self.reading.add_call(made, item.id or "", path)
        if came is not None:
            self._result(item, came, f"{path}.output")

    def _result(self, item: wire.Item, given: Given, path: str) -> None:
        call_id = self.reading.call_id(item.call_id, item.id)
        if self._past.items and not self.reading.kept and call_id not in self.reading.names:
            # Who sends all the history may have trimmed it; who goes on from what is kept has not.
            raise InvalidRequest(
                f"No tool call found for function call output with call_id {call_id[:80]}.",
                param=path.removesuffix(".output"),
            )
        name = self.reading.names.get(call_id) or (flat(item.namespace, item.name) if item.name else "")
        self.reading.add_result(ToolResult(call_id, name, given.response, given.media), path)

    def _image(self, item: wire.Item, path: str) -> None:
        found = image_made(item, path)
        if found is not None:
            self.reading.add_model([(found, path)])
        elif item.id and (item.id in self._past.referred or item.id in self._present):
            self._refer(item.id)
        else:
            self.reading.lose(path, LOST[IMAGE])

    def _summary(self, item: wire.Item, path: str) -> None:
        text = item.encrypted_content or ""
        if not text.startswith(SUMMARY):
            self.reading.lose(path, FOREIGN_SUMMARY)
            return
        summary = opened_summary(text) if self._room > 0 else None
        self._room -= MAX_BYTES if summary is None else len(summary)
        if summary is None:
            self.reading.lose(path, SPOILT_SUMMARY)
        else:
            self.reading.add_user([(Text(introduced(summary)), path)])

    def _tools(self, item: wire.Item, path: str) -> None:
        tools = read(wire.decode_list, item.tools, f"{path}.tools") if is_given(item.tools) else []
        self.reading.define(f"{path}.tools", tools)
        asked = item.type == "tool_search_output" and (_is_clients(item) or item.call_id in self.reading.names)
        if asked:
            names = [name for tool in tools for name in _names(tool)]
            found = f"These tools can be used now: {', '.join(names)}." if names else "No tool was found."
            self._result(item, Given(object_text(found, "output")), path)

    def _lose(self, kind: str, path: str) -> None:
        if kind.startswith("input_"):
            # What the user says must not be lost in silence.
            raise InvalidRequest(
                f"Items are not of type {kind[:80]!r}. Put this into the content of a message.", param=f"{path}.type"
            )
        self.reading.lose(path, LOST.get(kind, f"items of type {kind[:80]!r} are not known"))

    def _refer(self, item_id: str) -> None:
        """Append what a reference means, unless the conversation holds it."""
        if item_id in self._present:
            return
        kept = self._past.referred.get(item_id)
        if kept is None:
            raise NotFound(f"Item with id '{item_id[:80]}' not found.", param="input")
        self._present.add(item_id)
        self.add_kept(kept)

    @cached_property
    def _kept_ids(self) -> set[str]:
        marks = (read_or_none(wire.decode_id, Raw(kept.item)) for kept in self._past.items)
        return {mark.id for mark in marks if mark is not None and mark.id}

    @cached_property
    def _present(self) -> set[str]:
        """The ids of all items that need no reference to be there."""
        own = {item.id for item in self._given.items if isinstance(item, wire.Item) and _is_whole(item)}
        return self._kept_ids | {item_id for item_id in own if item_id}


def _is_whole(item: wire.Item) -> bool:
    return not is_reference(item) and not (item.type == IMAGE and not holds_image(item.result))


def _names(raw: Raw) -> list[str]:
    """Give the name of a tool, or of those in a namespace, as the model knows them."""
    tool = read_or_none(wire.decode_named, raw)
    if tool is None or not tool.name:
        return []
    if not is_given(tool.tools):
        return [tool.name]
    inner = read_or_none(wire.decode_names, tool.tools) or ()
    return [flat(tool.name, each.name) for each in inner if each.name]


def _is_clients(item: wire.Item) -> bool:
    """Whether a search for tools is the client's to run."""
    return item.execution == "client" or (item.execution is None and bool(item.call_id))
