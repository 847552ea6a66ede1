"""A request without what the upstream has named as unsupported."""

from typing import assert_never

from msgspec.structs import replace

from gemgate.catalog.catalog import Target
from gemgate.hub.call import Function, Generate, Output, Reasoning
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Media, Message, Part, Text
from gemgate.protocols.shared.json_words import json_words
from gemgate.upstreams.refusal import Parameter

WHY = "the upstream says that this model does not support it"


def lessened(call: Generate, target: Target, parameter: Parameter) -> tuple[Generate, Target, tuple[Dropped, ...]]:
    """Take a parameter out of a call, or an ability from its target; gives what was lost by it."""
    match parameter:
        case "sampling.choosing":
            return _without_sampling(call, target, temperature=None, top_p=None, top_k=None)
        case "sampling.penalties":
            return _without_sampling(call, target, presence_penalty=None, frequency_penalty=None)
        case "sampling.candidates":
            return _without_sampling(call, target, candidates=1)
        case "sampling.logprobs":
            return _without_sampling(call, target, logprobs=None)
        case "sampling.seed":
            return _without_sampling(call, target, seed=None)
        case "sampling.stop":
            return _without_sampling(call, target, stop=())
        case "reasoning":
            return replace(call, reasoning=Reasoning()), replace(target, reasoning=None), _wished(call, target)
        case "output" | "output.schema" if not call.output.json and call.output.schema is None:
            return call, target, ()
        case "output":
            bare = _in_words(call, replace(call.output, json=False, schema=None))
            return bare, target, (Dropped("output", f"{WHY}; JSON is asked for in words"),)
        case "output.schema":
            bare = _in_words(call, replace(call.output, schema=None))
            return bare, target, (Dropped("output.schema", f"{WHY}; the schema is told in words"),)
        case "tools.builtin":
            functions = tuple(tool for tool in call.tools if isinstance(tool, Function))
            return replace(call, tools=functions), replace(target, web_search=False), (Dropped("tools", WHY),)
        case "media.detail":
            messages = tuple(Message(message.role, _plain(message.parts)) for message in call.messages)
            return replace(call, messages=messages), target, (Dropped("messages", f"detail: {WHY}"),)
        case "json_schema":
            return call, replace(target, abilities=replace(target.abilities, json_schema=False)), ()
        case _:
            assert_never(parameter)


def _without_sampling(
    call: Generate, target: Target, **defaults: object
) -> tuple[Generate, Target, tuple[Dropped, ...]]:
    lost = tuple(
        Dropped(f"sampling.{name}", WHY)
        for name, default in defaults.items()
        if getattr(call.sampling, name) != default
    )
    return replace(call, sampling=replace(call.sampling, **defaults)), target, lost


def _wished(call: Generate, target: Target) -> tuple[Dropped, ...]:
    """List what was said of thinking: by the request, field by field, or by the model's name."""
    fields = ("effort", "budget_tokens", "include_thoughts")
    said = [f"reasoning.{name}" for name in fields if getattr(call.reasoning, name) is not None]
    if target.reasoning is not None:
        said.append("reasoning")
    return tuple(Dropped(path, WHY) for path in said)


def _in_words(call: Generate, output: Output) -> Generate:
    return replace(call, output=output, system=(*call.system, Text(json_words(call.output.schema))))


def _plain(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(replace(part, detail=None) if isinstance(part, Media) and part.detail else part for part in parts)
