"""A strict check of request bodies against Google's published protobuf contract.

The definitions are those of PyPI's google-ai-generativelanguage. They are older than the service, so fields that it
took up since are allowed by name and place (`NEWER_FIELDS`, `NEWER_ENUM_VALUES`), checked for their shape and removed;
what is left must parse with unknown fields refused. Fields that exist on the Agent Platform only are not allowed.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from google.ai import generativelanguage_v1beta as glm
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Json = Any
Shape = Any
"""`str`, `int`, `float`, `bool`, `bytes` (base64), `object` (anything), `dict` (any object), a frozenset of enum names,
a list with the shape of its elements, a mapping with the fields of a message, or the name of a published message."""


class ContractError(AssertionError):
    """A request body that Google would refuse; `path` is where and `field` what."""

    def __init__(self, path: str, field: str, reason: str) -> None:
        self.path = path
        self.field = field
        self.reason = reason
        super().__init__(f"{path or '(top)'}: {field}: {reason}")


_LEVELS = frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH", "THINKING_LEVEL_UNSPECIFIED"})
_RESOLUTIONS = frozenset(
    f"MEDIA_RESOLUTION_{level}" for level in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")
)
_PART_RESOLUTION: Shape = {"level": _RESOLUTIONS, "numTokens": int}
_MEDIA_PROCESSING = frozenset({"MEDIA_PROCESSING_UNSPECIFIED", "STATIC", "AGENTIC"})
_LAYERS: Shape = [frozenset({"CONTENT_LAYER_UNSPECIFIED", "FRAMES", "AUDIO", "TRANSCRIPT", "TEXT", "IMAGES"})]
_VIDEO: Shape = {"startOffset": str, "endOffset": str, "fps": float, "contentLayers": _LAYERS}
_DOCUMENT: Shape = {"startPage": int, "endPage": int, "contentLayers": object}
_SHEET: Shape = {"visibleCells": str, "sheetIndex": int, "contentLayers": object}
_AUDIO_SPAN: Shape = {"startOffset": str, "endOffset": str}
_TOOL_TYPES = frozenset(
    {
        "TOOL_TYPE_UNSPECIFIED",
        "GOOGLE_SEARCH_WEB",
        "GOOGLE_SEARCH_IMAGE",
        "URL_CONTEXT",
        "GOOGLE_MAPS",
        "FILE_SEARCH",
        "MEDIA_PROCESSING",
    }
)
_RESPONSE_FORMAT: Shape = {
    "text": {"mimeType": str, "schema": object},
    "image": {"aspectRatio": str, "imageSize": str, "mimeType": str, "delivery": str},
    "audio": {"mimeType": str, "sampleRate": int, "bitRate": int, "delivery": str},
    "video": {"aspectRatio": str, "delivery": str, "duration": str, "gcsUri": str, "resolution": str},
}
_TRANSCRIPTION: Shape = {
    "languageCodes": [str],
    "languageAuto": {},
    "languageHints": {"languageCodes": [str]},
    "customVocabulary": [str],
    "adaptationPhrases": [str],
    "wordTimestamp": bool,
    "diarization": bool,
    "mode": str,
    "sourceText": str,
}

NEWER_FIELDS: Mapping[str, Mapping[str, Shape]] = {
    "GenerateContentRequest": {
        "serviceTier": frozenset({"STANDARD", "FLEX", "PRIORITY", "UNSPECIFIED"}),
        "store": bool,
        "continuationToken": bytes,
    },
    "Part": {
        "toolCall": {"id": str, "toolType": _TOOL_TYPES, "args": dict},
        "toolResponse": {"id": str, "toolType": _TOOL_TYPES, "response": dict},
        "mediaResolution": _PART_RESOLUTION,
        "mediaProcessing": _MEDIA_PROCESSING,
        "speechMetadata": {"speaker": str, "style": str},
        "audioTranscription": dict,
        "documentMetadata": _DOCUMENT,
        "spreadsheetMetadata": _SHEET,
        "audioMetadata": _AUDIO_SPAN,
    },
    "VideoMetadata": {"contentLayers": _LAYERS},
    "ExecutableCode": {"id": str},
    "CodeExecutionResult": {"id": str},
    "FunctionResponsePart": {
        "fileData": {"mimeType": str, "fileUri": str, "displayName": str},
        "mediaProcessing": _MEDIA_PROCESSING,
        "mediaResolution": _PART_RESOLUTION,
        "videoMetadata": _VIDEO,
        "documentMetadata": _DOCUMENT,
        "spreadsheetMetadata": _SHEET,
        "audioMetadata": _AUDIO_SPAN,
    },
    "FunctionResponseBlob": {"displayName": str},
    "Tool": {
        "mcpServers": [
            {
                "name": str,
                "streamableHttpTransport": {
                    "url": str,
                    "headers": dict,
                    "timeout": str,
                    "sseReadTimeout": str,
                    "terminateOnClose": bool,
                },
            }
        ]
    },
    "Tool.GoogleSearch": {"searchTypes": {"webSearch": {}, "imageSearch": {}}},
    "Tool.ComputerUse": {"enablePromptInjectionDetection": bool, "disabledSafetyPolicies": [str]},
    "FileSearch": {"fileSearchStoreNames": [str], "topK": int, "metadataFilter": str},
    "GoogleMaps": {"authConfig": {"apiKey": str}},
    "ToolConfig": {"includeServerSideToolInvocations": bool},
    "GenerationConfig": {
        "responseFormat": [_RESPONSE_FORMAT],
        "audioTranscriptionConfig": _TRANSCRIPTION,
        "translationConfig": {"echoTargetLanguage": bool, "targetLanguageCode": str},
    },
    "ThinkingConfig": {"thinkingLevel": _LEVELS},
    "ImageConfig": {"imageSize": str, "personGeneration": str},
    "VoiceConfig": {
        "voice": str,
        "replicatedVoiceConfig": {"mimeType": str, "voiceSampleAudio": bytes, "consentAudio": bytes},
    },
}
"""Message (below the package's name) → field the published definitions lack → its shape."""

NEWER_ENUM_VALUES: Mapping[str, frozenset[str]] = {
    "GenerationConfig.Modality": frozenset({"VIDEO"}),
    "Tool.ComputerUse.Environment": frozenset({"ENVIRONMENT_MOBILE", "ENVIRONMENT_DESKTOP"}),
}

_BATCH: Shape = {
    "batch": {
        "displayName": str,
        "model": str,
        "priority": int,
        "inputConfig": {
            "fileName": str,
            "requests": {"requests": [{"request": "GenerateContentRequest", "metadata": dict}]},
        },
    }
}

_PACKAGE = "google.ai.generativelanguage.v1beta."
_OPAQUE = ("google.protobuf.", "google.type.")
_PART_DATA = frozenset(
    {
        "text",
        "inlineData",
        "functionCall",
        "functionResponse",
        "fileData",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    }
)
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")


@dataclass(frozen=True)
class _Walk:
    """One pass over a body; `canonical` refuses the spellings that the service tolerates but no gateway should send."""

    canonical: bool

    def message(self, value: Json, of: Descriptor, path: str) -> tuple[Json, Json]:
        """Return the body with canonical names, and the same without what the published definitions lack."""
        if not isinstance(value, dict):
            raise ContractError(path, of.name, f"is {_kind(value)}, not an object")
        newer = NEWER_FIELDS.get(_short(of.full_name), {})
        fields = {name: field for field in of.fields for name in (field.json_name, field.name)}
        full: dict[str, Json] = {}
        known: dict[str, Json] = {}
        for name, item in value.items():
            if field := fields.get(name):
                if field.json_name in full:
                    raise ContractError(path, name, "given twice, in both spellings")
                full[field.json_name], known[field.json_name] = self.field(item, field, _join(path, name))
            elif (shape := newer.get(camel(name))) is not None:
                full[camel(name)] = None if item is None else self.shape(item, shape, _join(path, name))
            else:
                raise ContractError(path, name, f"no such field in {of.name}")
        return full, known

    def field(self, value: Json, field: FieldDescriptor, path: str) -> tuple[Json, Json]:
        """Check the value of one published field."""
        if value is None:
            return None, None
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            return self.map(value, inner, path)
        if not field.is_repeated:
            return self.single(value, field, path)
        if not isinstance(value, list):
            if self.canonical or inner is None or not isinstance(value, dict):
                raise ContractError(path, field.json_name, f"is {_kind(value)}, not a list")
            value = [value]
        pairs = [self.single(item, field, f"{path}[{index}]") for index, item in enumerate(value)]
        return [full for full, _ in pairs], [known for _, known in pairs]

    def map(self, value: Json, entry: Descriptor, path: str) -> tuple[Json, Json]:
        """Check a map; its keys are the caller's own."""
        if not isinstance(value, dict):
            raise ContractError(path, entry.name, f"is {_kind(value)}, not an object")
        of = entry.fields_by_name["value"]
        pairs = {key: self.single(item, of, _join(path, key)) for key, item in value.items()}
        return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}

    def single(self, value: Json, field: FieldDescriptor, path: str) -> tuple[Json, Json]:
        """Check one value."""
        if field.message_type is not None:
            if field.message_type.full_name.startswith(_OPAQUE):
                return value, value
            return self.message(value, field.message_type, path)
        if field.enum_type is not None and isinstance(value, str):
            return self.enum(value, field.enum_type, path)
        if field.type == FieldDescriptor.TYPE_BYTES and not _is_base64(value):
            raise ContractError(path, field.json_name, "is no base64")
        return value, value

    def enum(self, value: str, of: EnumDescriptor, path: str) -> tuple[Json, Json]:
        """Check an enum given by name."""
        name = value if self.canonical else value.upper()
        if name in NEWER_ENUM_VALUES.get(_short(of.full_name), ()):
            return name, of.values[0].name
        if name not in of.values_by_name:
            raise ContractError(path, value, f"no such value of {of.name}")
        return name, name

    def shape(self, value: Json, shape: Shape, path: str) -> Json:
        """Check a value against a shape of the tables above; return it with canonical names."""
        last = path.rpartition(".")[2]
        if isinstance(shape, str):
            return self.message(value, descriptor(shape), path)[0]
        if isinstance(shape, frozenset):
            name = value if self.canonical or not isinstance(value, str) else value.upper()
            # The service tier is the one enum whose published names are lower-case.
            if name not in shape and not (last.lower().startswith("service") and str(name).upper() in shape):
                raise ContractError(path, last, f"{value!r} is none of {', '.join(sorted(shape))}")
            return name
        if isinstance(shape, list):
            if not isinstance(value, list):
                raise ContractError(path, last, f"is {_kind(value)}, not a list")
            return [self.shape(item, shape[0], f"{path}[{index}]") for index, item in enumerate(value)]
        if isinstance(shape, Mapping):
            if not isinstance(value, dict):
                raise ContractError(path, last, f"is {_kind(value)}, not an object")
            for name in value:
                if camel(name) not in shape:
                    raise ContractError(path, name, "no such field")
            return {
                camel(name): None if item is None else self.shape(item, shape[camel(name)], _join(path, name))
                for name, item in value.items()
            }
        if not _SCALARS[shape](value):
            raise ContractError(path, last, f"is {_kind(value)}, not {shape.__name__}")
        return value


def _is_base64(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    if value.startswith("TRUNCATED-BASE64;"):  # the recordings cut large media so
        return True
    try:
        base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        return False
    return True


_SCALARS: Mapping[Any, Callable[[Json], bool]] = {
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    int: lambda value: (isinstance(value, int) and not isinstance(value, bool)) or str(value).lstrip("-").isdigit(),
    float: lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    bytes: _is_base64,
    dict: lambda value: isinstance(value, dict),
    object: lambda value: True,
}


def camel(name: str) -> str:
    """Turn `snake_case` into the `camelCase` of protobuf JSON."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def descriptor(message: str) -> Descriptor:
    """Return the descriptor of a published message."""
    kind: Any = getattr(glm, message)
    return kind.pb(kind()).DESCRIPTOR


def _short(name: str) -> str:
    return name.removeprefix(_PACKAGE)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _kind(value: Json) -> str:
    return {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}.get(type(value), repr(value))


def check_message(body: bytes | Json, message: str, *, canonical: bool = False) -> dict[str, Json]:
    """Check a body against a published message and return it with canonical names; raises `ContractError`.

    `canonical` also refuses lower-case enums and single objects in place of lists, which the service tolerates.
    """
    document = msgspec.json.decode(body) if isinstance(body, bytes) else body
    of = descriptor(message)
    full, known = _Walk(canonical).message(document, of, "")
    kind: Any = getattr(glm, message)
    try:
        json_format.ParseDict(known, kind.pb(kind()), ignore_unknown_fields=False)
    except json_format.ParseError as error:
        found = re.search(rf"\bat \"?{message}\.?([^\"\s]*)", str(error))
        raise ContractError(found[1].rstrip(".") if found else "", message, str(error)) from error
    _RULES.get(message, lambda _: None)(full)
    return full


_MESSAGES: Mapping[str, str] = {
    "generateContent": "GenerateContentRequest",
    "streamGenerateContent": "GenerateContentRequest",
    "countTokens": "CountTokensRequest",
    "embedContent": "EmbedContentRequest",
    "batchEmbedContents": "BatchEmbedContentsRequest",
    "predict": "PredictRequest",
    "predictLongRunning": "PredictLongRunningRequest",
}


def covers(method: str, path: str) -> str | None:
    """Return the name of the contract that covers a request, None if the published definitions know it not."""
    if method == "PATCH" and re.search(r"/cachedContents/[^/]+$", path):
        return "CachedContent"
    if method != "POST":
        return None
    if re.search(r"/cachedContents$", path):
        return "CachedContent"
    if re.fullmatch(r"/upload/v\w+/files", path):
        return "CreateFileRequest"
    name = path.rpartition(":")[2]
    return "batchGenerateContent" if name == "batchGenerateContent" else _MESSAGES.get(name)


def check_request(method: str, path: str, body: bytes | Json, *, canonical: bool = False) -> bool:
    """Check the body of a request to Google; return whether a contract covers it; raises `ContractError`."""
    name = covers(method, path)
    if name is None:
        return False
    if name == "batchGenerateContent":
        document = msgspec.json.decode(body) if isinstance(body, bytes) else body
        _Walk(canonical).shape(document, _BATCH, "")
        inline = (document["batch"].get("inputConfig") or document["batch"].get("input_config") or {}).get("requests")
        for item in (inline or {}).get("requests") or []:
            check_message(item.get("request"), "GenerateContentRequest", canonical=canonical)
        return True
    check_message(body, name, canonical=canonical)
    return True


# ── rules that the service enforces and no definition says ──


def _refuse(bad: object, path: str, field: str, reason: str) -> None:
    if bad:
        raise ContractError(path, field, reason)


def _exclusive(value: dict[str, Json], path: str, *names: str) -> None:
    given = [name for name in names if value.get(name) is not None]
    _refuse(len(given) > 1, path, " and ".join(given), "exclude one another")


def _check_content(content: dict[str, Json], path: str) -> None:
    for index, part in enumerate(content.get("parts") or []):
        where = f"{path}.parts[{index}]"
        given = [name for name in part if name in _PART_DATA and part[name] is not None]
        _refuse(len(given) > 1, where, " and ".join(given), "a part holds one of them")
        # Recorded: a part that is nothing but a signature is taken, as one with an empty text is.
        _refuse(not given and not part.get("thoughtSignature"), where, "data", "a part must hold something")
    role = content.get("role")
    _refuse(role not in (None, "", "user", "model", "function", "tool", "system"), path, "role", f"unknown: {role!r}")


def _check_schema(schema: dict[str, Json], path: str) -> None:
    properties = schema.get("properties") or {}
    for name in schema.get("required") or []:
        _refuse(properties and name not in properties, path, "required", f"{name!r} is no property")
    for name, inner in properties.items():
        _check_schema(inner, f"{path}.properties.{name}")
    if schema.get("items"):
        _check_schema(schema["items"], f"{path}.items")
    for index, inner in enumerate(schema.get("anyOf") or []):
        _check_schema(inner, f"{path}.anyOf[{index}]")
    _refuse(schema.get("type") in ("ARRAY", 5) and not schema.get("items"), path, "items", "missing in an array")


def _check_tools(body: dict[str, Json], path: str) -> None:
    seen: set[str] = set()
    for t, tool in enumerate(body.get("tools") or []):
        for f, function in enumerate(tool.get("functionDeclarations") or []):
            where = f"{path}tools[{t}].functionDeclarations[{f}]"
            name = function.get("name") or ""
            _refuse(not _FUNCTION_NAME.fullmatch(name), where, "name", f"{name!r} is no function name")
            _refuse(name in seen, where, "name", f"{name!r} declared twice")
            seen.add(name)
            _exclusive(function, where, "parameters", "parametersJsonSchema")
            _exclusive(function, where, "response", "responseJsonSchema")
            if function.get("parameters"):
                _check_schema(function["parameters"], f"{where}.parameters")
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    names = calling.get("allowedFunctionNames") or []
    where = f"{path}toolConfig.functionCallingConfig"
    _refuse(names and calling.get("mode") not in ("ANY", "VALIDATED", 2, 4), where, "allowedFunctionNames", "needs ANY")
    for name in names:
        _refuse(name not in seen, where, "allowedFunctionNames", f"{name!r} is not declared")


def _check_generation_config(config: dict[str, Json], path: str) -> None:
    _exclusive(config, path, "responseSchema", "responseJsonSchema")
    mime = config.get("responseMimeType")
    if config.get("responseSchema") or config.get("responseJsonSchema"):
        _refuse(
            mime not in ("application/json", "text/x.enum"), path, "responseMimeType", f"is {mime!r} beside a schema"
        )
    if config.get("responseSchema"):
        _check_schema(config["responseSchema"], f"{path}.responseSchema")
    _exclusive(config.get("thinkingConfig") or {}, f"{path}.thinkingConfig", "thinkingBudget", "thinkingLevel")
    _refuse(len(config.get("stopSequences") or []) > 5, path, "stopSequences", "more than five")


def _check_generate(body: dict[str, Json], path: str = "") -> None:
    _refuse(not body.get("contents"), path, "contents", "is not specified")
    for index, content in enumerate(body["contents"]):
        _check_content(content, f"{path}contents[{index}]")
    _check_tools(body, path)
    if body.get("generationConfig"):
        _check_generation_config(body["generationConfig"], f"{path}generationConfig")
    categories = [setting.get("category") for setting in body.get("safetySettings") or []]
    _refuse(len(categories) != len(set(categories)), path, "safetySettings", "a category given twice")
    if body.get("cachedContent"):
        for name in ("systemInstruction", "tools", "toolConfig"):
            _refuse(body.get(name), path, name, "belongs into the cached content")


def _check_count(body: dict[str, Json]) -> None:
    _exclusive(body, "", "contents", "generateContentRequest")
    if inner := body.get("generateContentRequest"):
        _refuse(not inner.get("model"), "generateContentRequest", "model", "is not specified")
        _check_generate(inner, "generateContentRequest.")


def _check_batch_embed(body: dict[str, Json]) -> None:
    _refuse(not body.get("requests"), "", "requests", "is not specified")
    for index, request in enumerate(body["requests"]):
        where = f"requests[{index}]"
        _refuse(not str(request.get("model") or "").startswith("models/"), where, "model", "is not models/…")
        _refuse(not (request.get("content") or {}).get("parts"), where, "content", "is not specified")
        _check_content(request["content"], f"{where}.content")


_RULES: Mapping[str, Callable[[dict[str, Json]], None]] = {
    "GenerateContentRequest": _check_generate,
    "CountTokensRequest": _check_count,
    "BatchEmbedContentsRequest": _check_batch_embed,
}
