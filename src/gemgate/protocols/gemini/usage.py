"""What a reply has cost: Gemini's counts → the hub's."""

import msgspec
from msgspec import Raw, json

from gemgate.hub.events import Usage
from gemgate.hub.parts import Vendor
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.lenient import without_nulls
from gemgate.protocols.gemini.parts import FORMAT


def usage_event(fields: dict[str, Raw]) -> Usage:
    """Translate the token counts of `usageMetadata`, given field by field; counts that cannot be read count as none."""
    raw = json.encode(fields)
    try:
        try:
            counts = wire.decode_usage(raw)
        except msgspec.ValidationError:
            raw = json.encode(without_nulls(json.decode(raw)))
            counts = wire.decode_usage(raw)
    except msgspec.ValidationError:
        return Usage()
    return Usage(
        input_tokens=counts.prompt_token_count,
        cached_tokens=counts.cached_content_token_count,
        tool_tokens=counts.tool_use_prompt_token_count,
        output_tokens=counts.candidates_token_count,
        thought_tokens=counts.thoughts_token_count,
        total_tokens=counts.total_token_count,
        input_by_modality=_by_modality(counts.prompt_tokens_details),
        cached_by_modality=_by_modality(counts.cache_tokens_details),
        output_by_modality=_by_modality(counts.candidates_tokens_details),
        service_tier=str(counts.service_tier).lower(),
        vendor=Vendor(FORMAT, raw.decode()),
    )


def _by_modality(details: list[wire.ModalityCount]) -> dict[str, int]:
    return {str(detail.modality).lower(): detail.token_count for detail in details}
