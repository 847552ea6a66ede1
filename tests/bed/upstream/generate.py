"""What the fake says by default to the methods of models: an echo, plausible in shape and numbers."""

import base64
import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

# A transparent pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SILENCE = base64.b64encode(b"\x00\x00" * 2400).decode()
SIGNATURE = base64.b64encode(b"a signature that the fake made").decode()

MODEL_NAMES = (
    "gemini-3.1-pro-preview",
    "gemini-3.5-flash",
    "gemini-3.6-flash",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-flash-image",
    "gemini-2.5-flash-preview-tts",
    "gemini-embedding-001",
    "veo-3.1-generate-preview",
)


def camelised(value: Any) -> Any:
    """Return a body with camelCase keys at every level: enough for a fake, wrong for user data."""
    if isinstance(value, list):
        return [camelised(item) for item in value]
    if isinstance(value, dict):
        return {re.sub(r"_([a-z])", lambda m: m[1].upper(), key): camelised(item) for key, item in value.items()}
    return value


def model_document(name: str) -> Json:
    """Describe a model."""
    methods = ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]
    if "embedding" in name:
        methods = ["embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"]
    if name.startswith("veo"):
        methods = ["predictLongRunning"]
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": f"The fake's {name}",
        "inputTokenLimit": 1048576,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": methods,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": "embedding" not in name,
    }


def _parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"text": content}]
    parts = (content or {}).get("parts") or []
    return [parts] if isinstance(parts, dict) else list(parts)


def _contents(body: Json) -> list[Json]:
    contents = body.get("contents") or []
    return [contents] if isinstance(contents, dict) else list(contents)


def texts_of(content: Any) -> str:
    """Return the text of a content."""
    return " ".join(str(part["text"]) for part in _parts(content) if part.get("text"))


def count_tokens(body: Json) -> int:
    """Count a prompt: a token for four characters, 258 for a piece of media."""
    total = 0
    for content in [*_contents(body), body.get("systemInstruction")]:
        for part in _parts(content):
            media = "inlineData" in part or "fileData" in part
            total += 258 if media else math.ceil(len(str(part.get("text") or part)) / 4)
    return max(total, 1)


def _forced_call(body: Json) -> str | None:
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if str(calling.get("mode") or "").upper() != "ANY":
        return None
    declared = [item["name"] for tool in body.get("tools") or [] for item in tool.get("functionDeclarations") or []]
    allowed = calling.get("allowedFunctionNames") or declared
    return next((name for name in declared if name in allowed), None)


def _answer_parts(body: Json, model: str) -> list[Json]:
    config = body.get("generationConfig") or {}
    modalities = [str(item).upper() for item in config.get("responseModalities") or []]
    last = _contents(body)[-1] if _contents(body) else {}
    if name := _forced_call(body):
        return [{"functionCall": {"id": "fakecall", "name": name, "args": {}}, "thoughtSignature": SIGNATURE}]
    if "AUDIO" in modalities or "tts" in model:
        return [{"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": SILENCE}}]
    if "IMAGE" in modalities or "-image" in model:
        return [{"text": "Here it is. "}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}]
    results = [part["functionResponse"] for part in _parts(last) if "functionResponse" in part]
    said = texts_of(last) or ", ".join(f"{result.get('name')} answered" for result in results) or "something"
    text = f"echo: {said}"
    if config.get("responseMimeType") == "application/json":
        text = '{"echo": true}'
    return [{"text": text}]


def generate(raw: Json, model: str) -> Json:
    """Answer `generateContent`."""
    body = camelised(raw)
    config = body.get("generationConfig") or {}
    parts = _answer_parts(body, model)
    thinks = bool((config.get("thinkingConfig") or {}).get("includeThoughts"))
    visible = sum(math.ceil(len(str(part.get("text") or "x" * 400)) / 4) for part in parts)
    prompt = count_tokens(body)
    usage: Json = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": visible,
        "totalTokenCount": prompt + visible + (12 if thinks else 0),
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    if thinks:
        usage["thoughtsTokenCount"] = 12
        parts.insert(0, {"text": "**Thinking** about an echo.", "thought": True})
    seed = hashlib.sha256(repr(body).encode()).hexdigest()[:16]
    return {
        "candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": f"fake-{seed}",
    }


def stream(raw: Json, model: str, size: int = 8) -> list[Json]:
    """Answer `streamGenerateContent`: the same reply in pieces."""
    whole = generate(raw, model)
    base = {"modelVersion": whole["modelVersion"], "responseId": whole["responseId"]}
    pieces: list[Json] = []
    for part in whole["candidates"][0]["content"]["parts"]:
        text = part.get("text")
        if text is None:
            pieces.append(part)
        else:
            pieces += [{**part, "text": text[start : start + size]} for start in range(0, len(text), size)]
    chunks: list[Json] = []
    for index, piece in enumerate(pieces):
        candidate: Json = {"content": {"parts": [piece], "role": "model"}, "index": 0}
        usage: Mapping[str, Any] = whole["usageMetadata"]
        if index == len(pieces) - 1:
            candidate["finishReason"] = "STOP"
        else:
            usage = {key: usage[key] for key in ("promptTokenCount", "promptTokensDetails")}
            usage = {**usage, "totalTokenCount": usage["promptTokenCount"]}
        chunks.append({"candidates": [candidate], "usageMetadata": dict(usage)} | base)
    return chunks


def embed(request: Json) -> Json:
    """Answer one embedding, not normalised, always the same for the same text."""
    body = camelised(request)
    size = int(body.get("outputDimensionality") or 3072)
    digest = hashlib.sha256(texts_of(body.get("content")).encode()).digest()
    return {"values": [round((digest[index % 32] - 127) / 255, 6) for index in range(size)]}
