"""What an answer has cost, as Messages count it (notes §6.4)."""

from gemgate.hub.events import ResponseStart, Usage
from gemgate.protocols.anthropic.cited import Sources

TIERS = frozenset({"priority", "batch"})
"""The others are standard."""


def usage_object(usage: Usage, sources: Sources) -> dict[str, object]:
    """Give the counts of a whole message; what was read from a cache is not part of the input."""
    return delta_usage(usage, sources) | {
        "cache_creation": _cache_creation(),
        "service_tier": usage.service_tier if usage.service_tier in TIERS else "standard",
    }


def delta_usage(usage: Usage, sources: Sources) -> dict[str, object]:
    """Give the counts that end a stream: totals, those of its beginning too."""
    return {
        "input_tokens": max(usage.input_tokens - usage.cached_tokens, 0) + usage.tool_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens + usage.thought_tokens,
        "output_tokens_details": {"thinking_tokens": usage.thought_tokens},
        "server_tool_use": {
            "web_search_requests": len(sources.queries),
            "web_fetch_requests": len(sources.pages),
        },
    }


def first_usage(start: ResponseStart) -> dict[str, object]:
    """Give the counts that begin a stream, as far as they are known by then."""
    return usage_object(Usage(input_tokens=start.input_tokens, cached_tokens=start.cached_tokens), Sources())


def _cache_creation() -> dict[str, int]:
    return {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
