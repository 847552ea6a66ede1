"""The few changes that a relayed request may suffer; everything else in it stays byte for byte."""

from typing import cast

import msgspec
from msgspec import Raw, json

from gemgate.errors import InvalidRequest
from gemgate.hub.abilities import Thinking
from gemgate.hub.call import Reasoning
from gemgate.protocols.gemini.turns import DUMMY_SIGNATURE
from gemgate.protocols.shared.reading import unreadable
from gemgate.protocols.shared.reasoning import thinking_settings

Members = dict[str, Raw]


def with_thinking(body: bytes | memoryview, reasoning: Reasoning, thinking: Thinking) -> bytes:
    """Set `generationConfig.thinkingConfig` as a model name's suffix asks, where the request says nothing itself."""
    members = _members(body)
    config_key, config = _inner(members, "generationConfig", "generation_config")
    thinking_key, own = _inner(config, "thinkingConfig", "thinking_config")
    settings, _ = thinking_settings(reasoning, thinking)
    decided = own.keys() & {"thinkingBudget", "thinking_budget", "thinkingLevel", "thinking_level"}
    if settings.budget is not None and not decided:
        own["thinkingBudget"] = Raw(json.encode(settings.budget))
    if settings.level is not None and not decided:
        own["thinkingLevel"] = Raw(json.encode(settings.level.upper()))
    shown = settings.include_thoughts
    if shown is not None and not own.keys() & {"includeThoughts", "include_thoughts"}:
        own["includeThoughts"] = Raw(json.encode(shown))
    if not own:
        return bytes(body)
    config[thinking_key] = Raw(json.encode(own))
    members[config_key] = Raw(json.encode(config))
    return json.encode(members)


def with_search(body: bytes | memoryview) -> bytes:
    """Add Google Search to the tools, if it is not among them."""
    members = _members(body)
    tools = _tools(bytes(members.get("tools", b"null")))
    if any(b"googleSearch" in bytes(tool) or b"google_search" in bytes(tool) for tool in tools):
        return bytes(body)
    members["tools"] = Raw(json.encode([*tools, {"googleSearch": {}}]))
    return json.encode(members)


def _tools(given: bytes) -> list[Raw]:
    """Read a list of tools, which may be a single one or null."""
    try:
        return json.decode(b"[%s]" % given if given.startswith(b"{") else given, type=list[Raw] | None) or []
    except msgspec.MsgspecError as error:
        raise InvalidRequest("tools must be a list.", param="tools") from error


def with_model(body: bytes | memoryview, asked: str, model: str) -> bytes:
    """Replace a model's name where a body repeats that of the path (countTokens, batches of embeddings)."""
    old, new = (json.encode(f"models/{name}") for name in (asked, model))
    return bytes(body).replace(b'"model":' + old, b'"model":' + new).replace(b'"model": ' + old, b'"model": ' + new)


def without_signatures(body: bytes | memoryview) -> bytes:
    """Take the signatures out, and put the documented dummy on the first call of each message (notes §5.1 rule 11)."""
    document = json.decode(body, type=dict[str, object])
    contents = document.get("contents")
    for content in cast("list[object]", contents) if isinstance(contents, list) else []:
        parts: object = cast("dict[str, object]", content).get("parts") if isinstance(content, dict) else None
        signed = False
        for part in cast("list[object]", parts) if isinstance(parts, list) else []:
            if not isinstance(part, dict):
                continue
            members = cast("dict[str, object]", part)
            members.pop("thoughtSignature", None)
            members.pop("thought_signature", None)
            if not signed and members.keys() & {"functionCall", "function_call"}:
                signed = True
                members["thoughtSignature"] = DUMMY_SIGNATURE.value
    return json.encode(document)


def _members(body: bytes | memoryview) -> Members:
    try:
        return json.decode(body, type=Members)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error


def _inner(members: Members, camel: str, snake: str) -> tuple[str, Members]:
    """Find a member in either spelling; gives the spelling and the object, empty if absent."""
    key = snake if snake in members else camel
    try:
        return key, json.decode(members.get(key, b"{}"), type=Members | None) or {}
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{camel} must be an object.", param=camel) from error
