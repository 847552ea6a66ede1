"""An upstream that answers with recordings, in the form they were recorded in or in the other one."""

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from tests.bed.recordings import Recording
from tests.bed.upstream import Answer, FakeUpstream, Received, error, json_array, json_reply, raw_stream, sse
from tests.bed.upstream.connection import Wire

Json = dict[str, Any]


def fold(payloads: Sequence[bytes]) -> Json:
    """Turn the events of a stream into the one body that an unstreamed call would have got.

    Texts of the same kind are joined unless one is signed; of all other fields the last value counts, of usage the
    last of each field.
    """
    whole: Json = {}
    candidates: dict[int, Json] = {}
    for payload in payloads:
        chunk: Json = msgspec.json.decode(payload)
        for key, value in chunk.items():
            if key == "usageMetadata":
                whole[key] = {**whole.get(key, {}), **value}
            elif key != "candidates":
                whole[key] = value
        for candidate in chunk.get("candidates") or []:
            _fold_candidate(candidates.setdefault(candidate.get("index", 0), {}), candidate)
    if candidates:
        whole["candidates"] = [candidates[index] for index in sorted(candidates)]
    return whole


def _fold_candidate(whole: Json, candidate: Json) -> None:
    for key, value in candidate.items():
        if key != "content":
            whole[key] = value
            continue
        content: Json = whole.setdefault("content", {})
        content.update({name: item for name, item in value.items() if name != "parts"})
        for part in value.get("parts") or []:
            parts: list[Json] = content.setdefault("parts", [])
            if parts and _joinable(parts[-1], part):
                parts[-1] = {**parts[-1], "text": parts[-1]["text"] + part["text"]}
            else:
                parts.append(part)


def _joinable(left: Json, right: Json) -> bool:
    plain = {"text", "thought"}
    same = set(left) <= plain and set(right) <= plain and bool(left.get("thought")) == bool(right.get("thought"))
    return same and "text" in left and "text" in right


def unfold(body: bytes, pieces: int = 1) -> list[Json]:
    """Turn one body into the events of a stream: each text cut into up to `pieces`, the end of it all in the last.

    Signatures stay on the last piece of their part; a reply without parts stays one event.
    """
    whole: Json = msgspec.json.decode(body)
    candidates: list[Json] = whole.get("candidates") or []
    parts = [
        (candidate, piece)
        for candidate in candidates
        for part in (candidate.get("content") or {}).get("parts") or []
        for piece in _cut(part, pieces)
    ]
    if pieces <= 1 or len(parts) <= 1:
        return [whole]
    base = {key: value for key, value in whole.items() if key in ("modelVersion", "responseId", "createTime")}
    usage = {key: val for key, val in (whole.get("usageMetadata") or {}).items() if key.startswith("prompt")}
    chunks: list[Json] = []
    for candidate, piece in parts:
        content = {**candidate["content"], "parts": [piece]}
        event = {"candidates": [{"content": content, "index": candidate.get("index", 0)}], **base}
        chunks.append(event | ({"usageMetadata": usage} if usage else {}))
    ends = {candidate.get("index", 0): candidate for candidate in candidates}
    rest = {key: value for key, value in whole.items() if key != "candidates"}
    for chunk in reversed(chunks):
        if end := ends.pop(chunk["candidates"][0]["index"], None):
            chunk["candidates"][0] = {**end, **chunk["candidates"][0]}
    chunks[-1] |= rest
    return chunks


def _cut(part: Json, pieces: int) -> list[Json]:
    text = part.get("text")
    if not isinstance(text, str) or pieces <= 1 or len(text) < 2:
        return [part]
    size = -(-len(text) // pieces)
    texts = [text[start : start + size] for start in range(0, len(text), size)]
    unsigned = {key: value for key, value in part.items() if key != "thoughtSignature"}
    return [{**unsigned, "text": piece} for piece in texts[:-1]] + [{**part, "text": texts[-1]}]


def as_body(recording: Recording) -> bytes:
    """Return a recorded reply as the one JSON body of an unstreamed call."""
    payloads = recording.payloads()
    return payloads[0] if len(payloads) == 1 else json.dumps(fold(payloads), ensure_ascii=False).encode()


def as_payloads(recording: Recording, pieces: int = 1) -> list[bytes]:
    """Return a recorded reply as the payloads of a stream; what was recorded as a stream stays as it was."""
    payloads = recording.payloads()
    if recording.streamed or len(payloads) != 1:
        return payloads
    return [json.dumps(chunk, ensure_ascii=False).encode() for chunk in unfold(payloads[0], pieces)]


def recorded(recording: Recording, *, pieces: int = 1, **how: Any) -> Answer:
    """Answer with a recording in the form that the request asks for; `how` goes to `sse` and `raw_stream`."""

    async def answer(request: Received, wire: Wire) -> None:
        await _form(recording, request, pieces, how)(request, wire)

    return answer


def _form(recording: Recording, request: Received, pieces: int, how: dict[str, Any]) -> Answer:
    if recording.status != 200:
        return json_reply(recording.body(), recording.status)
    if ":streamGenerateContent" not in request.path:
        return json_reply(as_body(recording) if "GenerateContent" in recording.method_name else recording.body())
    if request.query.get("alt") != "sse":
        return json_array(as_payloads(recording, pieces))
    if recording.response_sse is not None:
        return raw_stream([(event + recording.sse_sep).encode() for event in recording.response_sse], **how)
    return sse(as_payloads(recording, pieces), **how)


class ReplayUpstream(FakeUpstream):
    """A fake that answers requests for models with recordings and everything else by itself.

    A request is looked up by model and body among the rows of `load`; `play` says the next answers instead.
    """

    def __init__(
        self,
        rows: Sequence[Recording] = (),
        *,
        pieces: int = 1,
        keys: set[str] | None = None,
        send_buffer_bytes: int | None = None,
    ) -> None:
        super().__init__(keys, send_buffer_bytes=send_buffer_bytes)
        self.pieces = pieces
        """Into how many events each text of an unstreamed recording is cut where a stream is asked for."""
        self.misses: list[Received] = []
        """Requests that no recording answers; they got a 404."""
        self._rows: dict[tuple[str, str], list[Recording]] = {}
        self.always = self._look_up
        self.load(rows)

    def load(self, rows: Sequence[Recording]) -> None:
        """Add recordings to look up; of equal requests the answers come in their order, the last one ever after."""
        for row in rows:
            self._rows.setdefault(_row_key(row), []).append(row)

    def play(self, *rows: Recording, **how: Any) -> None:
        """Queue recordings as the next answers, whatever the request."""
        self.answer(*(recorded(row, **({"pieces": self.pieces} | how)) for row in rows))

    def reset(self) -> None:
        """Forget requests and script, keep recordings."""
        super().reset()
        self.misses.clear()
        self.always = self._look_up

    async def _look_up(self, request: Received, wire: Wire) -> None:
        model = re.search(r"/models/([^:]+):(\w+)", request.path)
        if model is None:
            return await self.routes.answer(request, request.key or "")(request, wire)
        kind = _kind(model[2])
        found = self._rows.get((f"{model[1]}:{kind}", _canonical(request.json)))
        if not found:
            self.misses.append(request)
            return await error(404, "No recording has this request.")(request, wire)
        row = found.pop(0) if len(found) > 1 else found[0]
        return await recorded(row, pieces=self.pieces)(request, wire)


def _kind(method: str) -> str:
    return "generateContent" if method == "streamGenerateContent" else method


def _canonical(body: Any) -> str:
    return json.dumps(body, sort_keys=True)


def _row_key(row: Recording) -> tuple[str, str]:
    model = re.search(r"/models/([^:]+):", row.path)
    return (f"{model[1] if model else ''}:{_kind(row.method_name)}", _canonical(row.request))
