"""What a Messages client asks and is told, for all rows."""

from typing import Any

from tests.bed.strict_gemini import StrictGemini, step
from tests.bed.upstream import part_chunk
from tests.e2e.bed import CALLER, Bed
from tests.e2e.messages_reading import NEW, THINKS, Json, ask, read

TOOL: Json = {"name": "find", "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}}}
DONE = part_chunk({"text": ""}, finish="STOP")


def results(blocks: list[Json]) -> Json:
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": one, "content": "fine"} for one in ids]}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


async def step_on(
    bed: Bed, strict: StrictGemini, *parts: Json, stream: bool, length: int = 120, key: str = CALLER, **body: Any
) -> Json:
    strict.will_say(step(*parts, signature_length=length))
    answered = await ask(bed, headers={"x-api-key": key}, stream=stream, **({"model": NEW} | THINKS | body))
    return read(answered, stream=stream)


def comparable(made: Json) -> Json:
    """Without what a request has for itself, and where signatures stand: the bed may move them to the other form."""
    blocks: list[Json] = []
    for block in made["content"]:
        kept = {name: value for name, value in block.items() if name not in ("signature", "id", "tool_use_id")}
        if kept != {"type": "thinking", "thinking": ""}:
            blocks.append(kept)
    return made | {"id": "", "content": blocks}


def citations(made: Json) -> list[Json]:
    return [one for block in made["content"] for one in block.get("citations") or ()]


def counts(usage: Json) -> Json:
    thoughts = usage["output_tokens_details"]["thinking_tokens"]
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    return {name: usage[name] for name in names} | {"thinking_tokens": thoughts}


def wanted_counts(counted: Json) -> Json:
    """What was read from a cache is told beside the input, not in it."""
    cached, thoughts = counted.get("cachedContentTokenCount", 0), counted.get("thoughtsTokenCount", 0)
    prompt = counted.get("promptTokenCount", 0) - cached + counted.get("toolUsePromptTokenCount", 0)
    return {
        "input_tokens": prompt,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": counted.get("candidatesTokenCount", 0) + thoughts,
        "thinking_tokens": thoughts,
    }
