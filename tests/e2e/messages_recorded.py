"""What Anthropic's service was recorded to answer: put into Gemini's words, and as the order of its blocks."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.acceptance.messages_grammar import message_of
from tests.bed.recordings import Recording, load_recordings
from tests.e2e.messages_reading import Event, Json

PIECES = 3
"""Into how many each text is cut."""
SIGNATURE = "c2lnbmVkIGJ5IHRoZSBiZWQ="
CODE = {"code_execution", "bash_code_execution"}
"""Gemini has one place to run code in, which is told as the first of these."""
SEARCH = {"web_search", "web_fetch"}
FINISHES = {"max_tokens": "MAX_TOKENS"}


def asked(path: str) -> list[Recording]:
    """The recorded requests to a path; one of a house that has it elsewhere is among them."""
    rows = load_recordings("anthropic")
    return [row for row in rows if row.method == "POST" and row.path.endswith(path)]


def events_of(row: Recording) -> list[Event]:
    """The events of a recorded stream."""
    made: list[Event] = []
    for payload in row.payloads():
        if payload != b"[DONE]":  # of a house that closes as another format does
            data = json.loads(payload)
            made.append((data["type"], data))
    return made


def message(row: Recording) -> Json:
    """The recorded message, streamed or not."""
    return message_of(events_of(row)) if row.streamed else json.loads(row.body())


# ── in Gemini's words ──


@dataclass
class _Grounding:
    """What Gemini tells once, at the end, of searches and pages."""

    queries: list[str] = field(default_factory=list[str])
    found: dict[str, str] = field(default_factory=dict[str, str])
    cited: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Addresses and the text each stands for."""
    pages: list[str] = field(default_factory=list[str])

    def metadata(self, text: str) -> Json:
        made: Json = {}
        if self.queries or self.found:
            chunks = [{"web": {"uri": url, "title": title}} for url, title in self.found.items()]
            supports = [
                {"segment": _segment(text, part), "groundingChunkIndices": [list(self.found).index(url)]}
                for url, part in self.cited
            ]
            made["groundingMetadata"] = {
                "webSearchQueries": self.queries,
                "groundingChunks": chunks,
                "groundingSupports": supports,
            }
        if self.pages:
            read = "URL_RETRIEVAL_STATUS_SUCCESS"
            listed = [{"retrievedUrl": url, "urlRetrievalStatus": read} for url in self.pages]
            made["urlContextMetadata"] = {"urlMetadata": listed}
        return made


def _segment(text: str, part: str) -> Json:
    start = len(text[: text.index(part)].encode())
    return {"startIndex": start, "endIndex": start + len(part.encode()), "text": part}


def documents(row: Recording) -> list[Json]:
    """What Gemini would have streamed; together they are what it would have said whole."""
    given = message(row)
    grounding = _Grounding()
    parts = list(_parts(given["content"], grounding))
    text = "".join(block["text"] for block in given["content"] if block["type"] == "text")
    made = [_document({"content": {"role": "model", "parts": [part]}}) for part in parts]
    last: Json = {"content": {"role": "model", "parts": [{"text": ""}]}, **grounding.metadata(text)}
    last["finishReason"] = FINISHES.get(given["stop_reason"], "STOP")
    return [*made, _document(last) | {"usageMetadata": _usage(given["usage"])}]


def _document(candidate: Json) -> Json:
    return {"candidates": [candidate | {"index": 0}], "modelVersion": "the-model", "responseId": "recorded"}


def _usage(usage: Json) -> Json:
    """Gemini counts what was read from a cache as part of the prompt, and knows no writing into one."""
    cached, thoughts = usage.get("cache_read_input_tokens") or 0, _thoughts(usage)
    prompt = usage["input_tokens"] + cached
    answer = usage["output_tokens"] - thoughts
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": answer, "thoughtsTokenCount": thoughts}
    return counts | {"cachedContentTokenCount": cached, "totalTokenCount": prompt + answer + thoughts}


def _thoughts(usage: Json) -> int:
    return (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0


def _parts(blocks: Sequence[Json], grounding: _Grounding) -> Iterator[Json]:
    signed = False
    for block in blocks:
        match block["type"]:
            case "thinking":
                yield from ({"text": piece, "thought": True} for piece in _pieces(block["thinking"]))
            case "text":
                yield from ({"text": piece} for piece in _pieces(block["text"]))
                for one in block.get("citations") or ():
                    if one["type"] == "web_search_result_location":
                        grounding.found.setdefault(one["url"], one["title"] or "")
                        grounding.cited.append((one["url"], block["text"]))
            case "tool_use":
                # Of several calls Gemini signs the first.
                signature = {} if signed else {"thoughtSignature": SIGNATURE}
                signed = True
                yield {"functionCall": {"id": block["id"], "name": block["name"], "args": block["input"]}} | signature
            case "server_tool_use":
                yield from _used(block, grounding)
            case "code_execution_tool_result" | "bash_code_execution_tool_result":
                yield _ran(block["content"])
            case "web_search_tool_result":
                results: Any = block["content"]
                for one in results if isinstance(results, list) else ():
                    grounding.found.setdefault(one["url"], one["title"])
            case _:
                pass  # nothing that Gemini does


def _pieces(text: str) -> list[str]:
    size = max(1, -(-len(text) // PIECES))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _used(block: Json, grounding: _Grounding) -> Iterator[Json]:
    given = block["input"]
    if block["name"] in CODE:
        yield {"executableCode": {"language": "PYTHON", "code": given.get("code") or given.get("command") or ""}}
    elif block["name"] == "web_search":
        grounding.queries.append(given["query"])
    elif block["name"] == "web_fetch":
        grounding.pages.append(given["url"])


def _ran(content: Json) -> Json:
    well = content.get("return_code") == 0
    output = content.get("stdout" if well else "stderr") or content.get("error_code") or ""
    outcome = "OUTCOME_OK" if well else "OUTCOME_FAILED"
    return {"codeExecutionResult": {"outcome": outcome, "output": output}}


# ── the order of events ──

RENAMED = {"bash_code_execution": "code_execution"}


def order(events: Sequence[Event]) -> list[str]:
    """What comes after what in a stream, as far as two services can agree on it.

    Pings and the number of deltas are no part of it, nor are deltas that say nothing. Left out are:
    - thinking without words: there, thoughts that the request asks to omit; here, carriers of signatures;
    - thinking that was redacted, and tools of the server that Gemini does not have;
    - searches, pages and citations: Gemini tells them once, at the end, so they are compared by `sources`.
    Texts that are neighbours then are one: here a new block begins only where something else does.
    """
    blocks: list[str] = []
    for index, data in _starts(events):
        kind = _kind(data)
        said = [one["delta"] for name, one in events if name == "content_block_delta" and one["index"] == index]
        deltas = [delta["type"] for delta in said if any(delta.get(name) for name in _WORDS)]
        told = " ".join([kind, *dict.fromkeys(one for one in deltas if one != "citations_delta")])
        silent = told in ("text", "thinking", "thinking signature_delta")
        if kind and not silent and (told != "text text_delta" or blocks[-1:] != [told]):
            blocks.append(told)
    frame = [name for name, _ in events if name in ("message_start", "message_delta", "message_stop")]
    return [*frame[:1], *blocks, *frame[1:]]


_WORDS = ("text", "thinking", "signature", "partial_json")


def _starts(events: Sequence[Event]) -> Iterator[tuple[int, Json]]:
    for name, data in events:
        if name == "content_block_start":
            yield data["index"], data["content_block"]


def _kind(block: Json) -> str:
    """Name a block; "" for one that is left out."""
    match block["type"]:
        case "text" | "thinking" | "tool_use" as kind:
            return kind
        case "server_tool_use":
            name = RENAMED.get(block["name"], block["name"])
            return f"server_tool_use {name}" if name in CODE else ""
        case "code_execution_tool_result" | "bash_code_execution_tool_result":
            return "code_execution_tool_result"
        case _:
            return ""


@dataclass(frozen=True)
class Sources:
    """What a message rests on."""

    queries: frozenset[str]
    found: frozenset[str]
    """Addresses."""
    cited: frozenset[str]
    pages: frozenset[str]


def sources(given: Json) -> Sources:
    queries: set[str] = set()
    found: set[str] = set()
    pages: set[str] = set()
    for block in given["content"]:
        if block["type"] == "server_tool_use" and block["name"] == "web_search":
            queries |= {block["input"]["query"], *block["input"].get("queries", ())}
        elif block["type"] == "server_tool_use" and block["name"] == "web_fetch":
            pages.add(block["input"]["url"])
        elif block["type"] == "web_search_tool_result" and isinstance(block["content"], list):
            found |= {one["url"] for one in block["content"]}
    citations = [one for block in given["content"] for one in block.get("citations") or ()]
    cited = {one["url"] for one in citations if one["type"] == "web_search_result_location"}
    return Sources(frozenset(queries), frozenset(found), frozenset(cited), frozenset(pages))


def told_by_gemini(recorded: Sources, made: Sources) -> bool:
    """Whether a message rests on the recorded sources, as far as Gemini tells of them.

    What was found goes with a search: an answer may have gone on after one that an earlier answer had asked for.
    A source that stands for no part of the text is told as one of all of it.
    """
    same = (recorded.queries, recorded.pages) == (made.queries, made.pages)
    found = made.found == (recorded.found | recorded.cited if recorded.queries else frozenset())
    return same and found and recorded.cited <= made.cited <= recorded.cited | recorded.found
