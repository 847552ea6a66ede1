"""What is asked for beyond the format itself: Google's `extra_body.google`, and the thinking settings of others."""

from typing import cast

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Effort, Reasoning
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.generation_config import Settings, settings
from gemgate.protocols.shared.efforts import effort as read_effort
from gemgate.protocols.shared.empty import EMPTY
from gemgate.protocols.shared.raw_json import JsonField

MAX_BUDGET = 2**31 - 1
CONFIG = "generation_config"
LITERAL = "extra_body.google"
IN_CONFIG = frozenset(
    {"image_config", "media_resolution", "response_modalities", "speech_config", "audio_transcription_config"}
)
"""Fields that users put beside `thinking_config` and that live in generationConfig too."""
IN_IMAGE_CONFIG = frozenset({"aspect_ratio", "image_size"})
THINKING: dict[str, type] = {"include_thoughts": bool, "thinking_budget": int, "thinking_level": str}


class Extension(Struct, frozen=True):
    """Google's extension of the format.

    `path` is where it stood in the request, `places` where each thinking setting did, `settings` what the hub knows of
    `generation_config`, `tools` those in it with their paths, `native` the rest for Gemini's own codec.
    """

    thinking: wire.ThinkingConfig
    places: dict[str, str]
    settings: Settings
    tools: tuple[tuple[str, Raw], ...]
    native: dict[str, object]
    path: str


def extension(request: wire.Request) -> Extension:
    """Read `google`, sent literally under `extra_body` or unpacked beside the other fields, in either spelling."""
    members: dict[str, Raw] = {}
    path = LITERAL
    literal = request.extra_body.google if request.extra_body is not None else UNSET
    for raw, where in ((request.google, "google"), (literal, LITERAL)):
        if raw is not UNSET and bytes(raw) != b"null":
            members |= _members(raw, where)
            path = where
    native: dict[str, object] = {}
    config, config_path = _config(request, members, path)
    thinking, places = _thinking(
        (request.thinking_config, "thinking_config"),
        (cast("Raw", config.pop("thinking_config", UNSET)), f"{config_path}.thinking_config"),
        (members.pop("thinking_config", UNSET), f"{path}.thinking_config"),
    )
    offered = _listed(members.pop("tools", UNSET), f"{path}.tools")
    for name, value in members.items():
        if bytes(value) in EMPTY:
            continue
        if name in IN_CONFIG:
            config[name] = value
        elif name in IN_IMAGE_CONFIG:
            config["image_config"] = _with(config.get("image_config"), name, value)
        else:
            native[name] = value
    known = settings(config, config_path)
    if request.cached_content:
        native.setdefault("cached_content", request.cached_content)
    if request.safety_settings is not UNSET and bytes(request.safety_settings) not in EMPTY:
        native.setdefault("safety_settings", request.safety_settings)
    if config:
        native[CONFIG] = config
    return Extension(thinking, places, known, offered, native, path)


def _config(request: wire.Request, members: dict[str, Raw], path: str) -> tuple[dict[str, object], str]:
    """Take `generation_config`, from the extension or from the top of the request, and where it stood."""
    raw, where = members.pop(CONFIG, UNSET), f"{path}.{CONFIG}"
    if raw is UNSET:
        raw, where = request.generation_config, CONFIG
    if raw is UNSET or bytes(raw) in EMPTY:
        return {}, where
    return dict(_members(raw, where)), where


def _listed(raw: JsonField, path: str) -> tuple[tuple[str, Raw], ...]:
    """Give tools one by one; one alone need not be a list."""
    if raw is UNSET or bytes(raw) in EMPTY:
        return ()
    if bytes(raw)[:1] != b"[":
        return ((path, raw),)
    return tuple((f"{path}.{number}", one) for number, one in enumerate(json.decode(raw, type=list[Raw])))


def _with(config: object, name: str, value: Raw) -> dict[str, object]:
    below = _members(config, "image_config") if isinstance(config, Raw) else cast("dict[str, object]", config or {})
    return {**below, name: value}


def _thinking(*given: tuple[JsonField, str]) -> tuple[wire.ThinkingConfig, dict[str, str]]:
    """Merge thinking settings, the last one first, and tell where each stood."""
    found: dict[str, object] = {}
    places: dict[str, str] = {}
    for raw, where in given:
        for name, value in _members(raw, where).items() if raw is not UNSET and bytes(raw) != b"null" else ():
            place = f"{where}.{name}"
            if name not in THINKING:
                raise InvalidRequest(
                    f"{name[:80]!r} is no thinking setting. They are {', '.join(THINKING)}.", param=place
                )
            if bytes(value) in (b"null", b'""'):
                continue
            try:
                found[name] = json.decode(value, type=THINKING[name], strict=False)
            except msgspec.ValidationError as error:
                raise InvalidRequest(f"Wrong type for {place}: {error}.", param=place) from error
            places[name] = place
    thinking = msgspec.convert(found, wire.ThinkingConfig)
    if thinking.thinking_budget is not None and not -1 <= thinking.thinking_budget <= MAX_BUDGET:
        words = "thinking_budget is a number of tokens, or -1 for as many as the model likes."
        raise InvalidRequest(words, param=places["thinking_budget"])
    return thinking, places


def _members(raw: Raw, path: str) -> dict[str, Raw]:
    """Read an object, its keys in snake case."""
    try:
        return {_snake(name): value for name, value in wire.decode_members(raw).items()}
    except msgspec.ValidationError as error:
        raise InvalidRequest("This must be an object.", param=path) from error


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def reasoning(request: wire.Request, extension: Extension) -> tuple[Reasoning, dict[str, str]]:
    """Merge all that is said about thinking; gives it and where each field of it stood.

    Raises `InvalidRequest` for an effort beside a level or budget, as Google's own layer does.
    """
    thinking = extension.thinking
    places = extension.places
    paths = {
        f"reasoning.{name}": places[given]
        for name, given in (("budget_tokens", "thinking_budget"), ("include_thoughts", "include_thoughts"))
        if given in places
    }
    effort, given = request.reasoning_effort or None, thinking.thinking_level or None
    if read_effort(effort, "reasoning_effort") is None:
        effort = None  # `auto` says nothing
    if effort is not None:
        paths["reasoning.effort"] = "reasoning_effort"
    if effort is not None and (given is not None or thinking.thinking_budget is not None):
        raise InvalidRequest(
            "reasoning_effort and a thinking level or budget exclude each other. Send one of them.",
            param="reasoning_effort",
        )
    if given is not None and thinking.thinking_budget is not None:
        raise InvalidRequest("thinking_level and thinking_budget exclude each other.", param=places["thinking_level"])
    if effort is None and given is not None:
        effort = given
        paths["reasoning.effort"] = places["thinking_level"]
    wish = Reasoning(
        effort=read_effort(effort, paths.get("reasoning.effort", "")),
        budget_tokens=thinking.thinking_budget,
        include_thoughts=thinking.include_thoughts,
    )
    if wish.effort is None and wish.budget_tokens is None:
        wish = _elsewhere(request, wish, paths)
    return wish, paths


def _elsewhere(request: wire.Request, wish: Reasoning, paths: dict[str, str]) -> Reasoning:
    """Look for a wish in the fields of other vendors: `reasoning`, `thinking`, `enable_thinking`."""
    effort: Effort | None = None
    budget: int | None = None
    shown = wish.include_thoughts
    if request.reasoning is not None:
        asked = request.reasoning
        effort = read_effort(asked.effort, "reasoning.effort") if asked.enabled is not False else "none"
        budget = asked.max_tokens if effort is None else None
        shown = not asked.exclude if shown is None and asked.exclude is not None else shown
        paths |= {"reasoning.effort": "reasoning.effort", "reasoning.budget_tokens": "reasoning.max_tokens"}
    elif request.thinking is not None:
        off = request.thinking.type == "disabled"
        effort = "none" if off else None
        budget = None if off else request.thinking.budget_tokens
        shown = True if shown is None and request.thinking.type == "enabled" else shown
        paths |= {"reasoning.effort": "thinking.type", "reasoning.budget_tokens": "thinking.budget_tokens"}
    elif request.enable_thinking is not None or request.thinking_budget is not None:
        off = request.enable_thinking is False
        effort = "none" if off else None
        budget = None if off else request.thinking_budget
        shown = True if shown is None and request.enable_thinking else shown
        paths |= {"reasoning.effort": "enable_thinking", "reasoning.budget_tokens": "thinking_budget"}
    return Reasoning(effort=effort, budget_tokens=budget, include_thoughts=shown)
