"""What the fake can answer: right, late, wrong, broken. An answer is a coroutine function over request and wire."""

import gzip as gzip_module
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.bed.upstream.connection import Disconnected, Received, Wire, chunk, render_head
from tests.bed.upstream.pacing import Gate

Answer = Callable[[Received, Wire], Awaitable[None]]

JSON_TYPE = "application/json; charset=UTF-8"
SSE_TYPE = "text/event-stream"


def dump(document: Any) -> bytes:
    """Render JSON as Google does: indented, text unescaped."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def compact(document: Any) -> bytes:
    """Render JSON on one line, as in streams."""
    return json.dumps(document, ensure_ascii=False).encode()


def _as_bytes(document: Any) -> bytes:
    return document if isinstance(document, bytes) else compact(document)


def reply(
    body: bytes = b"",
    status: int = 200,
    content_type: str = JSON_TYPE,
    headers: Mapping[str, str] | None = None,
    *,
    gzip: bool = False,
    length: int | None = None,
    gate: Gate | None = None,
) -> Answer:
    """Answer with a whole body; `length` lies about it (and closes), `gate` holds the head and then the body back."""

    async def answer(request: Received, wire: Wire) -> None:
        data = gzip_module.compress(body) if gzip else body
        fields = {"Content-Type": content_type, "Content-Length": str(len(data) if length is None else length)}
        fields |= {"Content-Encoding": "gzip"} if gzip else {}
        head = render_head(status, fields | dict(headers or {}))
        if gate is None:
            await wire.write(head + (data if request.method != "HEAD" else b""))
        else:
            await gate.passing()
            await wire.write(head)
            await gate.passing()
            await wire.write(data)
        if length is not None:
            wire.close()

    return answer


def json_reply(document: Any, status: int = 200, **how: Any) -> Answer:
    """Answer with a JSON document (or the bytes of one)."""
    return reply(document if isinstance(document, bytes) else dump(document), status, **how)


def sse(
    payloads: Iterable[Any],
    *,
    gate: Gate | None = None,
    separator: str = "\r\n\r\n",
    split: int | None = None,
    stall_after: int | None = None,
    cut_after: int | None = None,
    reset: bool = False,
    gzip: bool = False,
) -> Answer:
    """Answer with server-sent events, each in a write of its own.

    `gate` is passed before each event (the head goes out at once); `split` cuts the bytes into pieces of that size
    regardless of events; after `stall_after` events nothing more comes; after `cut_after` events the connection closes
    without the end of the chunked body, with a reset if asked for.
    """
    frames = [b"data: " + _as_bytes(payload) + separator.encode() for payload in payloads]
    return raw_stream(
        frames, gate=gate, split=split, stall_after=stall_after, cut_after=cut_after, reset=reset, gzip=gzip
    )


def json_array(payloads: Sequence[Any], *, gate: Gate | None = None) -> Answer:
    """Answer with a JSON array, element by element: the streamed form without `alt=sse`."""
    documents = [_as_bytes(payload) for payload in payloads]
    frames = [(b"[" if index == 0 else b",\r\n") + document for index, document in enumerate(documents)]
    return raw_stream([*frames, b"]" if documents else b"[]"], content_type=JSON_TYPE, gate=gate)


def raw_stream(
    frames: Sequence[bytes],
    *,
    content_type: str = SSE_TYPE,
    status: int = 200,
    gate: Gate | None = None,
    split: int | None = None,
    stall_after: int | None = None,
    cut_after: int | None = None,
    reset: bool = False,
    gzip: bool = False,
) -> Answer:
    """Answer with these bytes, chunked; the faults are those of `sse`."""
    if gzip:
        frames = [gzip_module.compress(b"".join(frames))]
    if split:
        whole = b"".join(frames)
        frames = [whole[start : start + split] for start in range(0, len(whole), split)]

    async def answer(request: Received, wire: Wire) -> None:
        fields = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
        await wire.write(render_head(status, fields | ({"Content-Encoding": "gzip"} if gzip else {})))
        for index, frame in enumerate(frames):
            if index == stall_after:
                break
            if index == cut_after:
                break
            if gate is not None:
                await gate.passing()
            await wire.write(chunk(frame))
        if stall_after is not None:
            await request.gone.wait(60)
            raise Disconnected
        if cut_after is not None:
            if reset:
                wire.abort()
            else:
                wire.close()
            return
        await wire.write(b"0\r\n\r\n")

    return answer


def large_sse(payload: Any, count: int) -> Answer:
    """Answer with `count` times the same event, as fast as the peer reads; watch `Received.sent_bytes`."""
    frame = chunk(b"data: " + _as_bytes(payload) + b"\r\n\r\n")

    async def answer(request: Received, wire: Wire) -> None:
        await wire.write(render_head(200, {"Content-Type": SSE_TYPE, "Transfer-Encoding": "chunked"}))
        for _ in range(count):
            await wire.write(frame)
        await wire.write(b"0\r\n\r\n")

    return answer


def raw(data: bytes, *, close: bool = True) -> Answer:
    """Answer with bare bytes, head included or not; `garbage()` is one use."""

    async def answer(request: Received, wire: Wire) -> None:
        await wire.write(data)
        if close:
            wire.close()

    return answer


def garbage() -> Answer:
    """Answer with something that is not HTTP."""
    return raw(b"\x00\xff\xfeSSH-2.0-not-http\r\n\x80\x81\r\n\r\n")


def garbage_body(content_type: str = JSON_TYPE) -> Answer:
    """Answer 200 with a body that is no JSON (and no SSE)."""
    return reply(b"<html>\x80\xff oops { data: ", content_type=content_type)


def stall(until: Gate | None = None, then: Answer | None = None) -> Answer:
    """Answer nothing at all, until the peer leaves or the gate opens (`then` follows)."""

    async def answer(request: Received, wire: Wire) -> None:
        if until is None:
            await request.gone.wait(60)
            raise Disconnected
        await until.passing()
        if then is not None:
            await then(request, wire)
        else:
            wire.close()

    return answer


def cut(*, reset: bool = False) -> Answer:
    """Close the connection before the first byte of the reply."""

    async def answer(request: Received, wire: Wire) -> None:
        if reset:
            wire.abort()
        else:
            wire.close()

    return answer


_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.rpc."


def error_document(
    code: int,
    message: str = "",
    *,
    status: str = "",
    reason: str = "",
    retry_delay: str = "",
    quota_id: str | Sequence[str] = "",
    details: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Build Google's error envelope."""
    quota_ids = [quota_id] if isinstance(quota_id, str) else list(quota_id)
    violations = [
        {
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": one,
            "quotaDimensions": {"location": "global", "model": "gemini-2.5-flash"},
            "quotaValue": "20",
        }
        for one in quota_ids
        if one
    ]
    found: list[Mapping[str, Any]] = list(details)
    if reason:
        service = {"service": "generativelanguage.googleapis.com"}
        found.append({"@type": _TYPE + "ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": service})
    if violations:
        found.append({"@type": _TYPE + "QuotaFailure", "violations": violations})
    if retry_delay:
        found.append({"@type": _TYPE + "RetryInfo", "retryDelay": retry_delay})
    name = status or _STATUS.get(code, "UNKNOWN")
    error: dict[str, Any] = {"code": code, "message": message or f"The fake says {name}.", "status": name}
    return {"error": error | ({"details": found} if found else {})}


def error(code: int, message: str = "", **how: Any) -> Answer:
    """Answer with an error: `error(429, retry_delay="34.4s", quota_id="…PerMinute…")`; see `error_document`."""
    return json_reply(error_document(code, message, **how), code)


def invalid_key() -> Answer:
    """Answer as Google does to a key it does not know: 400, not 401."""
    text = "API key not valid. Please pass a valid API key."
    localized = {"@type": _TYPE + "LocalizedMessage", "locale": "en-US", "message": text}
    return error(400, text, reason="API_KEY_INVALID", details=[localized])


def no_key() -> Answer:
    """Answer to a request without any key."""
    return error(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
        "other form of API consumer identity to call this API.",
    )


def suspended_key() -> Answer:
    """Answer to a key whose project is suspended."""
    return error(403, "Permission denied: Consumer 'api_key:…' has been suspended.", reason="CONSUMER_SUSPENDED")


def signature_error(function: str = "get_weather", position: int = 2) -> Answer:
    """Answer to a call without its thought signature."""
    return error(
        400, f"Function call `{function}` in the `{position}.` content block is missing a `thought_signature`."
    )


def corrupted_signature() -> Answer:
    """Answer to a thought signature that another model or key made."""
    return error(400, "Corrupted thought signature.")


def not_found_model(model: str = "gemini-gone", method: str = "generateContent") -> Answer:
    """Answer to a model that does not exist."""
    return error(
        404,
        f"models/{model} is not found for API version v1beta, or is not supported for {method}. "
        "Call ModelService.ListModels to see the list of available models and their supported methods.",
    )


def overloaded() -> Answer:
    """Answer of a model under too much load."""
    return error(503, "The model is overloaded. Please try again later.")


def part_chunk(*parts: Mapping[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Build one `GenerateContentResponse` of candidate 0."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "fake-response"} | more


def text_chunks(*texts: str, usage: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
    """Build the events of a streamed text, the last of which finishes and counts."""
    counts = usage or {"promptTokenCount": 5, "candidatesTokenCount": len(texts), "totalTokenCount": 5 + len(texts)}
    last = len(texts) - 1
    return [
        part_chunk({"text": text}, finish="STOP" if index == last else None, usageMetadata=dict(counts))
        for index, text in enumerate(texts)
    ]
