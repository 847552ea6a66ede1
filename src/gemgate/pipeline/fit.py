"""Fitting a call to a target, and speaking of its fields in the client's own words."""

from collections.abc import Iterable

from msgspec.structs import replace

from gemgate.catalog.catalog import Target
from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Generate, Reasoning
from gemgate.hub.codec import Dropped


def fitted(call: Generate, target: Target) -> Generate:
    """Add what the model name asked for by suffix, where the request itself says nothing; bound the answer's length."""
    reasoning, tools, sampling = call.reasoning, call.tools, call.sampling
    if target.reasoning is not None:
        reasoning = _merged(reasoning, target.reasoning)
    if target.web_search and not any(isinstance(tool, BuiltIn) and tool.kind == "web_search" for tool in tools):
        tools = (*tools, BuiltIn("web_search"))
    limit = target.max_output_tokens
    if limit is not None and sampling.max_output_tokens is not None and sampling.max_output_tokens > limit:
        sampling = replace(sampling, max_output_tokens=limit)
    if reasoning is call.reasoning and tools is call.tools and sampling is call.sampling:
        return call
    return replace(call, reasoning=reasoning, tools=tools, sampling=sampling)


def _merged(asked: Reasoning, suffix: Reasoning) -> Reasoning:
    if asked.effort is None and asked.budget_tokens is None:
        asked = replace(asked, effort=suffix.effort, budget_tokens=suffix.budget_tokens)
    if asked.include_thoughts is None:
        asked = replace(asked, include_thoughts=suffix.include_thoughts)
    return asked


def in_client_words(dropped: Iterable[Dropped], paths: dict[str, str]) -> list[Dropped]:
    """Name dropped hub fields as the client's request does."""
    return [Dropped(client_path(item.path, paths), item.why) for item in dropped]


def client_path(path: str, paths: dict[str, str]) -> str:
    """Find where a hub field stood: the longest known beginning of its path, and the rest as it is."""
    head, rest = path, ""
    while head:
        if head in paths:
            return paths[head] + rest
        head, dot, tail = head.rpartition(".")
        rest = f"{dot}{tail}{rest}"
    return path


def in_client_terms(error: InvalidRequest, paths: dict[str, str]) -> None:
    """Name the field at fault as the client's request does."""
    if error.param:
        error.param = client_path(error.param, paths)


def refuse_drops(dropped: list[Dropped]) -> None:
    """Refuse a request in strict mode because of what would be dropped."""
    if dropped:
        first = dropped[0]
        listed = ", ".join(dict.fromkeys(item.path for item in dropped))
        raise InvalidRequest(
            f"In strict mode nothing may be dropped, but this would be: {listed} ({first.why}).",
            param=first.path,
            code="would_be_dropped",
        )
