"""What an answer has cost, as Responses count it (notes §6.3)."""

from gemgate.hub.events import Usage

TIERS = {"priority": "priority", "flex": "flex"}
"""The others are the default."""


def usage_object(usage: Usage) -> dict[str, object]:
    """Give token counts: results of upstream tools count as input, thoughts as output."""
    given = usage.input_tokens + usage.tool_tokens
    made = usage.output_tokens + usage.thought_tokens
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": usage.thought_tokens},
        "total_tokens": usage.total_tokens or given + made,
    }


def tier(usage: Usage) -> str:
    """Name the tier that an answer was served in."""
    return TIERS.get(usage.service_tier, "default")
