"""How the answer is made: `generationConfig`."""

from collections.abc import Mapping

from msgspec import Raw

from gemgate.errors import InvalidRequest
from gemgate.hub.abilities import Abilities
from gemgate.hub.call import BuiltIn, Generate, Output, Sampling
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Detail
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.parts import FORMAT, raw
from gemgate.protocols.gemini.schemas.json_schema import for_json_schema
from gemgate.protocols.gemini.schemas.openapi import for_openapi
from gemgate.protocols.shared.reasoning import thinking_settings

MAX_STOP_SEQUENCES = 5
MAX_LOGPROBS = 20
MAX_INT32 = 2**31 - 1
MAX_TEMPERATURE = 2.0
UNSTEERED = "this model's thinking is not steered that way"
UNSTOPPABLE = "this model cannot stop thinking; it thinks as little as it can, unseen"
NO_CONFIG = wire.GenerationConfig()

RESOLUTIONS: dict[Detail, Raw] = {
    "low": Raw(b'"MEDIA_RESOLUTION_LOW"'),
    "medium": Raw(b'"MEDIA_RESOLUTION_MEDIUM"'),
    "high": Raw(b'"MEDIA_RESOLUTION_HIGH"'),
    "ultra_high": Raw(b'"MEDIA_RESOLUTION_HIGH"'),
}
"""One word for all media; ULTRA_HIGH exists for single parts only."""


def generation_config(
    call: Generate, abilities: Abilities, dropped: list[Dropped], *, json_mode: bool, detail: Detail | None
) -> wire.GenerationConfig | None:
    """Say how the answer is made; `None` if the call says nothing. What the model does not honour joins `dropped`.

    `json_mode`: whether JSON may be asked for. `detail`: how closely all media are looked at. Raises `InvalidRequest`
    for what the model cannot make.
    """
    config = wire.GenerationConfig()
    _sampling(config, call.sampling, abilities, dropped)
    _output(config, call.output, abilities, json_mode=json_mode)
    if "image" in abilities.output:
        _image(config, call)
    settings, unable = thinking_settings(call.reasoning, abilities.thinking, call.sampling.max_output_tokens)
    dropped += (Dropped(path, UNSTEERED if abilities.thinking.control == "none" else UNSTOPPABLE) for path in unable)
    if settings.budget is not None or settings.level is not None or settings.include_thoughts is not None:
        level = settings.level.upper() if settings.level else None
        config.thinking_config = wire.ThinkingConfig(settings.include_thoughts, settings.budget, level)
    if detail is not None:
        config.media_resolution = RESOLUTIONS[detail]
    return config if config != NO_CONFIG else None


def _sampling(config: wire.GenerationConfig, sampling: Sampling, abilities: Abilities, dropped: list[Dropped]) -> None:
    if sampling.max_output_tokens is not None:
        config.max_output_tokens = min(sampling.max_output_tokens, MAX_INT32)
    if sampling.seed is not None:
        # Clients draw 64-bit seeds; equal ones must stay equal, nothing else matters.
        config.seed = sampling.seed if abs(sampling.seed) <= MAX_INT32 else sampling.seed & MAX_INT32
    config.stop_sequences = list(sampling.stop[:MAX_STOP_SEQUENCES])
    if len(sampling.stop) > MAX_STOP_SEQUENCES:
        dropped.append(Dropped("sampling.stop", f"Gemini takes at most {MAX_STOP_SEQUENCES} stop sequences"))
    choosing = {
        "temperature": _within(sampling.temperature, MAX_TEMPERATURE),
        "top_p": _within(sampling.top_p, 1.0),
        "top_k": sampling.top_k,
    }
    _set(config, "sampling", choosing, dropped, honoured=abilities.sampling)
    penalties = {
        # Clients send zeros by habit; a zero changes nothing, but some models refuse the field.
        "presence_penalty": sampling.presence_penalty or None,
        "frequency_penalty": sampling.frequency_penalty or None,
    }
    _set(config, "sampling", penalties, dropped, honoured=abilities.penalties)
    if sampling.logprobs is not None:
        if abilities.logprobs:
            config.response_logprobs = True
            config.logprobs = min(sampling.logprobs, MAX_LOGPROBS) or None
        else:
            dropped.append(Dropped("sampling.logprobs", "this model gives no log probabilities"))
    if sampling.candidates > 1:
        if not abilities.candidates:
            raise InvalidRequest("This model gives one answer a request. Ask for one.", param="sampling.candidates")
        config.candidate_count = sampling.candidates


def _within(value: float | None, most: float) -> float | None:
    return None if value is None else max(0.0, min(value, most))


def _set(
    config: wire.GenerationConfig,
    group: str,
    values: Mapping[str, float | None],
    dropped: list[Dropped],
    *,
    honoured: bool,
) -> None:
    for name, value in values.items():
        if value is not None and honoured:
            setattr(config, name, value)
        elif value is not None:
            dropped.append(Dropped(f"{group}.{name}", "this model does not honour it"))


def _output(config: wire.GenerationConfig, output: Output, abilities: Abilities, *, json_mode: bool) -> None:
    if json_mode and (output.json or output.schema is not None):
        config.response_mime_type = "application/json"
        if output.schema is not None:
            _schema(config, output.schema, abilities)
    wanted = [modality for modality in output.modalities if modality not in abilities.output]
    if wanted:
        raise InvalidRequest(f"This model does not make {' or '.join(wanted)}.", param="output.modalities")
    # A model that makes more than text makes it only when asked.
    modalities = output.modalities or (abilities.output if abilities.output != ("text",) else ())
    config.response_modalities = [modality.upper() for modality in modalities]


def _image(config: wire.GenerationConfig, call: Generate) -> None:
    """Say how images are made, where a tool for them says so."""
    for tool in call.tools:
        if isinstance(tool, BuiltIn) and tool.kind == "image_generation":
            if tool.vendor is not None and tool.vendor.format == FORMAT:
                config.image_config = raw(tool.vendor.raw)
            if "IMAGE" not in config.response_modalities:
                config.response_modalities.append("IMAGE")


def _schema(config: wire.GenerationConfig, schema: str, abilities: Abilities) -> None:
    clean = for_json_schema if abilities.json_schema else for_openapi
    try:
        cleaned = clean(schema, parameters=False)
    except InvalidRequest as error:
        error.param = "output.schema"
        raise
    if cleaned is not None and abilities.json_schema:
        config.response_json_schema = raw(cleaned)
    elif cleaned is not None:
        config.response_schema = raw(cleaned)
