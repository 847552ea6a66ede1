"""Adding up what several replies to one request have cost."""

from collections.abc import Iterable

from gemgate.hub.events import Usage


def total(usages: Iterable[Usage]) -> Usage:
    """Give the sum; the tier is that of the last, and no vendor's own words are kept if there is more than one."""
    listed = list(usages)
    if len(listed) == 1:
        return listed[0]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in listed),
        cached_tokens=sum(usage.cached_tokens for usage in listed),
        tool_tokens=sum(usage.tool_tokens for usage in listed),
        output_tokens=sum(usage.output_tokens for usage in listed),
        thought_tokens=sum(usage.thought_tokens for usage in listed),
        total_tokens=sum(usage.total_tokens for usage in listed),
        input_by_modality=_summed(usage.input_by_modality for usage in listed),
        cached_by_modality=_summed(usage.cached_by_modality for usage in listed),
        output_by_modality=_summed(usage.output_by_modality for usage in listed),
        service_tier=listed[-1].service_tier if listed else "",
    )


def _summed(maps: Iterable[dict[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for each in maps:
        for modality, tokens in each.items():
            sums[modality] = sums.get(modality, 0) + tokens
    return sums
