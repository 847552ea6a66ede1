"""The grammar of a chat stream (notes §6.2), checked on the bytes that a client gets."""

import json
import re
from typing import Any

Json = dict[str, Any]
CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
DONE = "[DONE]"
DELTAS = {"content", "reasoning_content", "refusal", "tool_calls", "annotations", "images", "audio", "extra_content"}


def payloads(stream: bytes) -> list[str]:
    """The data of each event; comments are left out, anything else is an error."""
    *blocks, rest = stream.decode().split("\n\n")
    assert rest == "", "the stream ends within an event"
    found: list[str] = []
    for block in blocks:
        assert "\n" not in block and "\r" not in block, "one line an event"
        if not block.startswith(":"):
            assert block.startswith("data: ")
            found.append(block[6:])
    return found


def chunks_of(stream: bytes, *, usage: bool = True) -> list[Json]:
    """Check a stream that ended well, and return its chunks.

    One opening chunk with the role for each choice, one terminal chunk with an empty delta, nothing of the choice
    after it, calls in the order of their index with id, type and name on the first delta, usage once and last.
    """
    *texts, last = payloads(stream)
    assert last == DONE
    chunks: list[Json] = [json.loads(text) for text in texts]
    assert chunks and not any("error" in chunk for chunk in chunks)
    assert len({(item["id"], item["object"], item["created"], item["model"]) for item in chunks}) == 1
    assert chunks[0]["object"] == "chat.completion.chunk"
    body = chunks
    if usage:
        *body, counted = chunks
        assert counted["choices"] == [] and counted["usage"]["total_tokens"] >= 0
    assert all(item.get("usage") is None for item in body)
    choices: dict[int, _Choice] = {}
    for item in body:
        (choice,) = item["choices"]
        choices.setdefault(choice["index"], _Choice()).take(choice)
    assert choices and all(choice.finished for choice in choices.values()), "a choice has no terminal chunk"
    return chunks


class _Choice:
    """What one choice has said so far."""

    def __init__(self) -> None:
        self.begun = False
        self.finished = False
        self.ids: list[str] = []

    def take(self, choice: Json) -> None:
        delta = choice["delta"]
        assert not self.finished, "something follows the terminal chunk"
        if not self.begun:
            assert delta["role"] == "assistant" and choice["finish_reason"] is None
            self.begun = True
            return
        assert set(delta) <= DELTAS, f"a delta holds {set(delta) - DELTAS}"
        if choice["finish_reason"] is not None:
            assert delta == {}, "the terminal chunk has an empty delta"
            assert (choice["finish_reason"] == "tool_calls") == bool(self.ids)
            self.finished = True
        for call in delta.get("tool_calls") or []:
            self._call(call)

    def _call(self, call: Json) -> None:
        if call["index"] == len(self.ids):
            assert CALL_ID.fullmatch(call["id"]) and call["id"] not in self.ids
            assert call["type"] == "function" and call["function"]["name"]
            self.ids.append(call["id"])
        else:
            assert call["index"] == len(self.ids) - 1 and not {"id", "type"} & set(call)
            assert "name" not in call.get("function", {})


def completion(chunks: list[Json]) -> Json:
    """What a client has in hand after the stream, in the shape of a whole completion."""
    choices: dict[int, Json] = {}
    for item in chunks:
        for piece in item["choices"]:
            message: Json = {"role": "assistant", "content": None, "refusal": None}
            made = choices.setdefault(piece["index"], {"index": piece["index"], "message": message})
            made["finish_reason"] = piece["finish_reason"]
            _add(made["message"], piece["delta"])
    made = {key: chunks[0][key] for key in ("id", "created", "model")}
    usage = chunks[-1].get("usage")
    return made | {"object": "chat.completion", "choices": [choices[key] for key in sorted(choices)], "usage": usage}


def _add(message: Json, delta: Json) -> None:
    for key, value in delta.items():
        if key in ("content", "reasoning_content", "refusal"):
            message[key] = (message.get(key) or "") + value or None
        elif key in ("annotations", "images"):
            message.setdefault(key, []).extend(value)
        elif key == "tool_calls":
            for piece in value:
                _add_call(message.setdefault(key, []), dict(piece))
        elif key == "audio" and key in message:
            message[key]["data"] += value["data"]
        else:
            message[key] = value


def _add_call(calls: list[Json], piece: Json) -> None:
    if piece.pop("index") == len(calls):
        calls.append(piece)
    else:
        calls[-1]["function"]["arguments"] += piece.pop("function", {}).get("arguments", "")
        calls[-1] |= piece
