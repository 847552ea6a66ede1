"""What `generation_config` says in Gemini's words that the hub has words for: models are fitted by those alone."""

import sys
from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Raw, Struct, json
from msgspec.structs import asdict, replace

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Output, Sampling
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import JsonText
from gemgate.protocols.openai_chat.native_tools import json_schema
from gemgate.protocols.shared.empty import EMPTY
from gemgate.protocols.shared.raw_json import JsonField

JSON = "application/json"
NO_SAMPLING = Sampling()
MAX_CHOICES = 16
SCHEMAS = ("response_json_schema", "response_schema")
NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")


class _Known(Struct):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    candidate_count: int | None = None
    response_mime_type: str | None = None
    response_json_schema: JsonField = UNSET
    response_schema: JsonField = UNSET
    response_modalities: list[str] = []


LIMITS: dict[str, float] = {"candidate_count": MAX_CHOICES} | dict.fromkeys(NUMBERS, sys.float_info.max)
HUB = {"stop": "stop_sequences", "logprobs": "response_logprobs", "candidates": "candidate_count"}
"""Hub fields that are called otherwise there."""


class Settings(Struct, frozen=True):
    """What was read, each field with its path; `modalities` are not looked at yet."""

    sampling: Sampling = NO_SAMPLING
    json: bool = False
    schema: JsonText | None = None
    schema_path: str = ""
    modalities: tuple[str, ...] = ()
    path: str = ""

    def filled(self, own: Sampling, paths: dict[str, str], dropped: list[Dropped]) -> Sampling:
        """Fill in what the request's own fields leave open; those win, and a contradiction is recorded."""
        taken: dict[str, object] = {}
        for name, value in asdict(self.sampling).items():
            given, nothing = getattr(own, name), getattr(NO_SAMPLING, name)
            place = f"{self.path}.{HUB.get(name, name)}"
            if value in (nothing, given):
                continue
            if given == nothing:
                taken[name] = value
                paths[f"sampling.{name}"] = place
            else:
                dropped.append(Dropped(place, "the request says otherwise elsewhere"))
        return replace(own, **taken) if taken else own

    def shaped(self, own: Output, paths: dict[str, str], dropped: list[Dropped]) -> Output:
        """Do the same for the form of the answer."""
        if not self.json:
            return own
        if own.json:
            if own.schema is None and self.schema is not None:
                paths["output.schema"] = self.schema_path
                return replace(own, schema=self.schema)
            if self.schema not in (None, own.schema):
                dropped.append(Dropped(self.schema_path, "the request says otherwise elsewhere"))
            return own
        paths |= {"output": f"{self.path}.response_mime_type", "output.schema": self.schema_path}
        return replace(own, json=True, schema=self.schema)


NO_SETTINGS = Settings()


def settings(config: dict[str, object], path: str) -> Settings:
    """Take what is known out of `config`, which stands at `path`; raises `InvalidRequest`."""
    raw = {name: value for name, value in config.items() if name in _Known.__struct_fields__}
    if not raw:
        return NO_SETTINGS
    known = _read({name: value for name, value in raw.items() if isinstance(value, Raw)}, path)
    for name in raw:
        del config[name]
    mime = known.response_mime_type
    schema, schema_path = _schema(known, path)
    if mime not in (None, "", JSON, "text/plain"):
        config |= {name: raw[name] for name in ("response_mime_type", *SCHEMAS) if name in raw}
        mime, schema = None, None
    elif mime == "text/plain":
        schema = None
    return Settings(
        sampling=Sampling(
            temperature=known.temperature,
            top_p=known.top_p,
            top_k=known.top_k or None,
            max_output_tokens=known.max_output_tokens or None,
            stop=tuple(text for text in known.stop_sequences if text),
            seed=known.seed,
            presence_penalty=known.presence_penalty or None,
            frequency_penalty=known.frequency_penalty or None,
            logprobs=max(known.logprobs or 0, 0) if known.response_logprobs else None,
            candidates=max(known.candidate_count or 1, 1),
        ),
        json=mime == JSON or schema is not None,
        schema=schema,
        schema_path=schema_path,
        modalities=tuple(known.response_modalities),
        path=path,
    )


def _read(raw: Mapping[str, Raw], path: str) -> _Known:
    """Read each field by itself, so that the one at fault can be named."""
    known = _Known()
    for field in msgspec.structs.fields(_Known):
        value = raw.get(field.name)
        if value is None or bytes(value) in EMPTY:
            continue
        try:
            read = value if field.name in SCHEMAS else json.decode(value, type=field.type, strict=False)
        except msgspec.ValidationError as error:
            place = f"{path}.{field.name}"
            raise InvalidRequest(f"Wrong type for {place}: {error}.", param=place) from error
        setattr(known, field.name, read)
    for name, highest in LIMITS.items():
        value = getattr(known, name) or 0
        if not -highest <= value <= highest:
            place = f"{path}.{name}"
            raise InvalidRequest(f"{place} must be a number of at most {highest:g}.", param=place)
    return known


def _schema(known: _Known, path: str) -> tuple[JsonText | None, str]:
    if known.response_json_schema is not UNSET:
        return bytes(known.response_json_schema).decode(), f"{path}.response_json_schema"
    if known.response_schema is not UNSET:
        return json_schema(known.response_schema), f"{path}.response_schema"
    return None, f"{path}.response_mime_type"
