"""Typed access to the recordings, the requests of real clients and the calls of users, where they are present.

They are looked for in the folder that `GEMGATE_RECORDINGS` names, else in `../shared` beside the checkout.
"""

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

JsonObject = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]


def recordings_folder() -> Path | None:
    """Return the folder of the `*.jsonl` recordings, or None where there is none."""
    named = os.environ.get("GEMGATE_RECORDINGS")
    folder = Path(named) if named else ROOT.parent / "shared" / "recordings"
    if not (folder / "gemini.jsonl").is_file() and (folder / "recordings" / "gemini.jsonl").is_file():
        folder = folder / "recordings"
    return folder if (folder / "gemini.jsonl").is_file() else None


def shared_folder() -> Path | None:
    """Return the folder that also holds `clients/` and `examples/`, or None where there is none."""
    recordings = recordings_folder()
    for folder in ([recordings.parent] if recordings else []) + [ROOT.parent / "shared"]:
        if (folder / "clients").is_dir() and (folder / "examples" / "calls.jsonl").is_file():
            return folder
    return None


needs_recordings = pytest.mark.skipif(
    recordings_folder() is None, reason="no recordings: neither GEMGATE_RECORDINGS nor ../shared/recordings is there"
)
needs_shared = pytest.mark.skipif(
    recordings_folder() is None or shared_folder() is None,
    reason="no shared material: neither GEMGATE_RECORDINGS nor ../shared is there",
)


class Expected(msgspec.Struct, frozen=True):
    """What candidate 0 of a recorded Gemini reply says, read from the raw JSON and nothing else."""

    text: str
    thoughts: str
    calls: tuple[JsonObject, ...]
    finish_reason: str | int | None
    usage: JsonObject
    media: tuple[JsonObject, ...]
    signatures: tuple[str, ...]
    block_reason: str | int | None
    model_version: str
    response_id: str


class Recording(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One recorded exchange."""

    id: str
    source: str
    licence: str
    seq: int
    method: str
    url: str
    request: Any
    status: int
    tags: tuple[str, ...]
    response_headers: dict[str, str] = {}
    model: str | None = None
    response: msgspec.Raw = msgspec.Raw()
    response_sse: tuple[str, ...] | None = None
    sse_sep: str = "\n\n"
    truncated: bool = False

    @property
    def streamed(self) -> bool:
        """Tell whether the reply came as server-sent events."""
        return self.response_sse is not None

    @property
    def path(self) -> str:
        """Return the path of the URL, without its query."""
        return "/" + self.url.split("//", 1)[-1].split("/", 1)[-1].split("?", 1)[0]

    @property
    def query(self) -> str:
        """Return the query of the URL, undecoded."""
        return self.url.partition("?")[2]

    @property
    def method_name(self) -> str:
        """Return `generateContent` and the like; for other URLs the resource (`cachedContents`, `chat/completions`)."""
        found = re.search(r":(\w+)$", self.path)
        if found:
            return found[1]
        return re.sub(r"^/(upload/)?v\d\w*/(openai/)?", "", self.path)

    @property
    def byte_exact(self) -> bool:
        """Tell whether the provenance tags call this what a server really sent, apart from cut media."""
        return not any(tag.startswith("prov:") and tag not in _HARMLESS for tag in self.tags)

    def body(self) -> bytes:
        """Return the whole reply as the wire had it (its JSON re-serialised); empty if there was none."""
        if self.response_sse is not None:
            return self.sse()
        raw = bytes(self.response)
        return b"" if raw == b"null" else raw

    def sse(self) -> bytes:
        """Return the stream, framed again with its own separator."""
        if self.response_sse is None:
            raise ValueError(f"{self.id} is no stream")
        return b"".join((event + self.sse_sep).encode() for event in self.response_sse)

    def payloads(self) -> list[bytes]:
        """Return the JSON of each event of the stream, of each element of a streamed array, or the one body."""
        if self.response_sse is not None:
            found = (_data(event) for event in self.response_sse)
            return [payload.encode() for payload in found if payload]
        body = self.body()
        if body.startswith(b"["):
            return [bytes(item) for item in msgspec.json.decode(body, type=list[msgspec.Raw])]
        return [body] if body else []

    @property
    def expected(self) -> Expected:
        """Return what the reply says."""
        return expected(self.payloads())

    @property
    def text(self) -> str:
        """Return the visible text of candidate 0."""
        return self.expected.text

    @property
    def finish_reason(self) -> str | int | None:
        """Return the last finish reason of candidate 0."""
        return self.expected.finish_reason

    @property
    def usage(self) -> JsonObject:
        """Return the last value seen of each usage field."""
        return self.expected.usage


_HARMLESS = {"prov:headers-not-recorded", "prov:url-inferred", "prov:non-json-request"}


def _data(event: str) -> str:
    lines = [line.removesuffix("\r") for line in event.split("\n")]
    return "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))


def expected(payloads: Iterable[bytes]) -> Expected:
    """Read what candidate 0 says from the payloads of a `generateContent` reply, streamed or not."""
    text: list[str] = []
    thoughts: list[str] = []
    calls: list[JsonObject] = []
    media: list[JsonObject] = []
    signatures: list[str] = []
    usage: JsonObject = {}
    last: JsonObject = {}
    for payload in payloads:
        chunk: JsonObject = msgspec.json.decode(payload)
        counts: JsonObject = chunk.get("usageMetadata") or {}
        usage.update({name: count for name, count in counts.items() if count is not None})
        last.update({key: chunk[key] for key in ("modelVersion", "responseId") if chunk.get(key)})
        if (chunk.get("promptFeedback") or {}).get("blockReason"):
            last["blockReason"] = chunk["promptFeedback"]["blockReason"]
        for candidate in chunk.get("candidates") or []:
            if candidate.get("index", 0) != 0:
                continue
            if candidate.get("finishReason"):
                last["finishReason"] = candidate["finishReason"]
            for part in (candidate.get("content") or {}).get("parts") or []:
                if part.get("thoughtSignature"):
                    signatures.append(part["thoughtSignature"])
                if "text" in part:
                    (thoughts if part.get("thought") else text).append(part["text"])
                elif "functionCall" in part:
                    calls.append(part["functionCall"])
                elif "inlineData" in part and not part.get("thought"):
                    media.append(part["inlineData"])
    return Expected(
        text="".join(text),
        thoughts="".join(thoughts),
        calls=tuple(calls),
        finish_reason=last.get("finishReason"),
        usage=usage,
        media=tuple(media),
        signatures=tuple(signatures),
        block_reason=last.get("blockReason"),
        model_version=last.get("modelVersion", ""),
        response_id=last.get("responseId", ""),
    )


@lru_cache
def load_recordings(name: str = "gemini") -> tuple[Recording, ...]:
    """Load all exchanges of one service (`gemini`, `openai`, `anthropic`); empty where they are absent."""
    folder = recordings_folder()
    path = folder / f"{name}.jsonl" if folder else None
    if path is None or not path.is_file():
        return ()
    decoder = msgspec.json.Decoder(Recording)
    return tuple(decoder.decode(line) for line in path.read_bytes().split(b"\n") if line.strip())


@lru_cache
def conversations() -> tuple[Recording, ...]:
    """Select the Gemini recordings fit for replay: a successful `generateContent` or `streamGenerateContent` reply."""
    return tuple(
        row
        for row in load_recordings("gemini")
        if row.status == 200 and row.method_name in {"generateContent", "streamGenerateContent"} and row.payloads()
    )


def by_source(rows: Iterable[Recording]) -> dict[str, list[Recording]]:
    """Group exchanges by cassette, in their order: each group is one conversation."""
    groups: dict[str, list[Recording]] = {}
    for row in rows:
        groups.setdefault(row.source, []).append(row)
    return {source: sorted(group, key=lambda row: row.seq) for source, group in groups.items()}


class ClientRequest(msgspec.Struct, frozen=True):
    """What a real client sent."""

    client: str
    seq: int
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    auth_headers: tuple[str, ...]
    body: Any = None

    @property
    def id(self) -> str:
        """Return a name for test output."""
        return f"{self.client}-{self.seq}"


class ExampleCall(msgspec.Struct, frozen=True):
    """A call that users make; `auth` is `bearer`, `raw` or `x-api-key`."""

    name: str
    method: str
    path: str
    query: str
    auth: str
    body: Any
    expect: str

    def headers(self, key: str, auth: str | None = None) -> dict[str, str]:
        """Return the headers for this call with `key`, in its own or another auth form."""
        forms = {
            "bearer": {"Authorization": f"Bearer {key}"},
            "raw": {"Authorization": key},
            "x-api-key": {"x-api-key": key, "anthropic-version": "2023-06-01"},
            "x-goog-api-key": {"x-goog-api-key": key},
        }
        return {"Content-Type": "application/json"} | forms[auth or self.auth]


@lru_cache
def load_clients(name: str | None = None) -> tuple[ClientRequest, ...]:
    """Load the requests of one client (`codex`, `claude-code`, …) or of all; empty where they are absent."""
    folder = shared_folder()
    if folder is None:
        return ()
    decoder = msgspec.json.Decoder(ClientRequest)
    return tuple(
        decoder.decode(line)
        for path in sorted((folder / "clients").glob(f"{name or '*'}.jsonl"))
        for line in path.read_bytes().split(b"\n")
        if line.strip()
    )


@lru_cache
def load_calls() -> tuple[ExampleCall, ...]:
    """Load the calls that users make; empty where they are absent."""
    folder = shared_folder()
    if folder is None:
        return ()
    decoder = msgspec.json.Decoder(ExampleCall)
    lines = (folder / "examples" / "calls.jsonl").read_bytes().split(b"\n")
    return tuple(decoder.decode(line) for line in lines if line.strip())
