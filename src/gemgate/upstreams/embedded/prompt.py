"""`Generate` → what llama.cpp is asked."""

from typing import Any, assert_never

from msgspec import Struct

from gemgate.catalog.catalog import Target
from gemgate.errors import InvalidRequest
from gemgate.hub.call import Function, Generate, Reasoning, Sampling
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Code, CodeResult, JsonText, Media, Opaque, Part, Text, Thought, ToolCall, ToolResult
from gemgate.upstreams.embedded.advice import beyond_demo
from gemgate.upstreams.embedded.grammar import Grammar, SchemaError
from gemgate.upstreams.embedded.own_tools import WEB_SEARCH, passed_over, refuse_forced
from gemgate.upstreams.embedded.tools import (
    call_grammar,
    call_text,
    callable_functions,
    instructions,
    result_text,
)

ChatRequest = dict[str, Any]

MAX_CANDIDATES = 8
DEFAULT_MAX_OUTPUT_TOKENS = 1024
"""Where an answer ends if the client set no limit: a model this small can ramble until its context is full."""

# What the model's card recommends; llama.cpp's own defaults make so small a model wander.
_TEMPERATURE = 0.2
_TOP_P = 0.9
# On repeated sequences ("DRY"), not on repeated words, which would keep it from counting to ten. Without it, so small a
# model falls into loops.
_REPETITION_PENALTY = 0.8
# llama.cpp reads the highest 32-bit value as "random".
_SEEDS = 0xFFFFFFFF


class Prompt(Struct, frozen=True, kw_only=True):
    """What llama.cpp is asked: one request for each candidate, alike but for their seeds."""

    requests: tuple[ChatRequest, ...]
    calls: bool
    """whether an answer that begins with a brace is a function call"""
    dropped: tuple[Dropped, ...]
    references: tuple[str, ...] = ()
    """nothing is kept for anybody"""


def prompt_of(call: Generate, target: Target) -> Prompt:
    """Say what llama.cpp is to be asked for a call; raises `InvalidRequest` for what the model cannot do."""
    _refuse_beyond(call, target)
    refuse_forced(call)
    functions, forced = callable_functions(call)
    if forced and not functions:
        raise InvalidRequest("A function call is required, but no such function is offered.", param="tool_choice")
    dropped = passed_over(call) + _dropped(call, target)
    grammar = ""
    if functions:
        grammar, ignored = _grammar_of_calls(functions, forced)
        dropped += _unbound("tools", ignored)
        if call.output.json or call.output.schema:
            dropped.append(
                Dropped("output.json", "the embedded model cannot be bound to JSON while it may call functions")
            )
    elif call.output.json or call.output.schema:
        grammar, ignored = _grammar_of_json(call.output.schema)
        dropped += _unbound("output.schema", ignored)
    request: ChatRequest = {"messages": _messages(call), **_sampling(call.sampling)}
    if grammar:
        request["grammar"] = grammar
    elif call.sampling.presence_penalty is None and call.sampling.frequency_penalty is None:
        # Free text alone: bound text has to repeat its quotes and braces.
        request["dry_multiplier"] = _REPETITION_PENALTY
    return Prompt(
        requests=tuple(_candidates(request, call.sampling)),
        calls=bool(functions),
        dropped=tuple(dropped),
    )


def _messages(call: Generate) -> list[dict[str, str]]:
    """Give the conversation as the chat template takes it: text by role, no role twice in a row."""
    functions, forced = callable_functions(call)
    system = [_text(part, f"system.{index}") for index, part in enumerate(call.system)]
    if functions:
        system.append(instructions(functions, forced))
    turns: list[tuple[str, list[str]]] = []
    for number, message in enumerate(call.messages):
        texts = [_text(part, f"messages.{number}.parts.{index}") for index, part in enumerate(message.parts)]
        said = "".join(texts)
        if not said:
            continue
        role = "user" if message.role == "user" else "assistant"
        if turns and turns[-1][0] == role:
            turns[-1][1].append(said)
        else:
            turns.append((role, [said]))
    if not turns:
        raise InvalidRequest("The conversation is empty: send at least one message with text.", param="messages")
    head = [{"role": "system", "content": "\n\n".join(filter(None, system))}] if any(system) else []
    return head + [{"role": role, "content": "\n\n".join(said)} for role, said in turns]


def _text(part: Part, path: str) -> str:
    match part:
        case Text():
            return part.text
        case Thought():
            return ""
        case ToolCall():
            return call_text(part)
        case ToolResult():
            if part.media:
                raise beyond_demo("see or hear media", path)
            return result_text(part)
        case Code():
            return f"\n```{part.language.lower()}\n{part.code}\n```\n"
        case CodeResult():
            return f"\nOutput ({part.outcome}):\n```\n{part.output}\n```\n"
        case Media():
            raise beyond_demo(f"see or hear media ({part.mime_type or 'of unknown type'})", path)
        case Opaque():
            raise beyond_demo(f"read this {part.vendor.format} part", path)
        case _:
            assert_never(part)


def _refuse_beyond(call: Generate, target: Target) -> None:
    if target.web_search:
        raise beyond_demo(WEB_SEARCH, "model")
    if call.sampling.candidates > MAX_CANDIDATES:
        raise InvalidRequest(f"At most {MAX_CANDIDATES} answers at once.", param="sampling.candidates")
    for modality in call.output.modalities:
        if modality.lower() != "text":
            raise beyond_demo(f"answer with {modality.lower()}", "output.modalities")


def _sampling(sampling: Sampling) -> ChatRequest:
    request: ChatRequest = {
        "max_tokens": sampling.max_output_tokens or DEFAULT_MAX_OUTPUT_TOKENS,
        "temperature": _TEMPERATURE if sampling.temperature is None else sampling.temperature,
        "top_p": _TOP_P if sampling.top_p is None else sampling.top_p,
        "top_k": sampling.top_k,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": list(sampling.stop),
    }
    if sampling.seed is not None:
        # A prompt from the cache is evaluated in other steps, and rounds differently.
        request["cache_prompt"] = False
    return {key: value for key, value in request.items() if value is not None}


def _candidates(request: ChatRequest, sampling: Sampling) -> list[ChatRequest]:
    count = max(sampling.candidates, 1)
    if sampling.seed is None:
        return [request] * count
    return [{**request, "seed": (sampling.seed + index) % _SEEDS} for index in range(count)]


def _dropped(call: Generate, target: Target) -> list[Dropped]:
    why = "the embedded model does not think"
    reasoning = call.reasoning
    asked = {
        "reasoning.effort": reasoning.effort not in (None, "none"),
        "reasoning.budget_tokens": reasoning.budget_tokens not in (None, 0),
        "reasoning.include_thoughts": reasoning.include_thoughts is True,
    }
    dropped = [Dropped(path, why) for path, is_asked in asked.items() if is_asked]
    suffix = target.reasoning or Reasoning()
    if not dropped and (suffix.effort not in (None, "none") or suffix.budget_tokens not in (None, 0)):
        dropped.append(Dropped("reasoning", why))
    if call.sampling.logprobs is not None:
        dropped.append(Dropped("sampling.logprobs", "the embedded model reports no probabilities"))
    if call.vendor is not None and call.vendor.raw not in ("", "{}"):
        dropped.append(Dropped("vendor", f"the embedded model knows no {call.vendor.format} settings"))
    return dropped


def _grammar_of_calls(functions: tuple[Function, ...], forced: bool) -> tuple[str, frozenset[str]]:
    try:
        return call_grammar(functions, forced)
    except SchemaError as error:
        raise InvalidRequest(f"The embedded model cannot follow these functions: {error}.", param="tools") from None


def _grammar_of_json(schema: JsonText | None) -> tuple[str, frozenset[str]]:
    if schema is None:
        return Grammar().text("object"), frozenset()
    grammar = Grammar()
    try:
        return grammar.text(grammar.schema(schema)), frozenset(grammar.ignored)
    except SchemaError as error:
        raise InvalidRequest(f"The embedded model cannot follow this schema: {error}.", param="output.schema") from None


def _unbound(path: str, keywords: frozenset[str]) -> list[Dropped]:
    return [Dropped(path, f"the embedded model is not bound by {', '.join(sorted(keywords))}")] if keywords else []
