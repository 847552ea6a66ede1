"""A Gemini 3 that says what a test tells it, signs it, and refuses what the real one refuses (notes §2.5 and §5.1)."""

import base64
import hashlib
import json
import re
import threading
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bed.contract import ContractError, check_request
from tests.bed.turns import TurnError, check_turns, turn_start
from tests.bed.upstream import Answer, FakeUpstream, Received, error, json_reply, raw_stream
from tests.bed.upstream.generate import PIXEL

Json = dict[str, Any]
Part = Json
Plain = tuple[str, str]
"""A part as far as it must come back: its kind and what it says. Ids are the gateway's own affair."""

DUMMIES = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
PAIRS = "Please ensure that the number of function response parts is equal to the number of function call parts of the "
PAIRS += "function call turn."
ORDER = "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
CORRUPTED = "Corrupted thought signature."
LARGE = 100_000
"""The length of a large signature, in characters."""


class Refused(Exception):
    """What the real service would answer with a 400."""


@dataclass(frozen=True)
class Step:
    """One answer; its signatures are as long as `signature_length`, in characters (a multiple of 4)."""

    parts: tuple[Part, ...]
    signature_length: int = 120
    finish: str = "STOP"


@dataclass(frozen=True)
class Said:
    """An answer as it was given: the model, and its parts with their signatures, thoughts left out."""

    model: str
    parts: tuple[tuple[Plain, str], ...]

    @property
    def plain(self) -> tuple[Plain, ...]:
        return _joined(self.parts)


@dataclass(frozen=True)
class _Issued:
    model: str
    plain: Plain


def step(*parts: Part, signature_length: int = 120) -> Step:
    return Step(parts, signature_length)


def thought(text: str) -> Part:
    return {"text": text, "thought": True}


def text(said: str) -> Part:
    return {"text": said}


def call(name: str, **arguments: Any) -> Part:
    return {"functionCall": {"name": name, "args": arguments}}


def image(data: str = PIXEL) -> Part:
    return {"inlineData": {"mimeType": "image/png", "data": data}}


@dataclass
class StrictGemini:
    """Takes over the answers of a fake upstream.

    `piece_bytes` cuts streams regardless of events. With `each_for_itself` a model takes only its own signatures.
    """

    up: FakeUpstream
    piece_bytes: int | None = 977
    each_for_itself: bool = False
    refusals: list[str] = field(default_factory=list[str])
    """What it has refused, in its own words."""
    dummies: int = 0
    """Documented dummies in the requests that it has taken."""
    lost: list[str] = field(default_factory=list[str])
    """What came back without its signature and was taken all the same."""
    said: list[Said] = field(default_factory=list[Said])
    _steps: deque[Step] = field(default_factory=deque[Step])
    _issued: dict[str, _Issued] = field(default_factory=dict[str, _Issued])
    _lock: Any = field(default_factory=threading.Lock)
    _own: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    """What tells its ids and signatures from those of others: callers outlive a fake."""

    def __post_init__(self) -> None:
        self.up.script = self.answer

    def will_say(self, *steps: Step) -> None:
        """Queue the next answers; a refused request leaves its answer in the queue."""
        self._steps.extend(steps)

    @property
    def signatures(self) -> frozenset[str]:
        """All that it has given out."""
        return frozenset(self._issued)

    def answer(self, request: Received) -> Answer | None:
        """Answer a request for content; the fake answers the others by itself."""
        found = re.search(r"/models/([^:]+):(streamG|g)enerateContent$", request.path)
        if found is None:
            return None
        model, streamed = found[1], found[2] == "streamG"
        with self._lock:
            try:
                self._check(request, model)
            except Refused as refused:
                self.refusals.append(str(refused))
                return error(400, str(refused))
            return self._say(self._steps.popleft(), model, streamed=streamed)

    # ── checks ──

    def _check(self, request: Received, model: str) -> None:
        try:
            check_request(request.method, request.path, request.body, canonical=True)
        except ContractError as wrong:
            at = f"Unknown name \"{wrong.field}\" at '{wrong.path}'"
            raise Refused(f"Invalid JSON payload received. {at}: {wrong}") from wrong
        try:
            check_turns(request.body)
        except TurnError as wrong:
            raise Refused(PAIRS if wrong.rule == 5 else ORDER) from wrong
        contents: list[Any] = request.json["contents"]
        dummies = 0
        for position, content in enumerate(contents, start=1):
            for part in content["parts"]:
                _check_result(part)
            if content["role"] == "model":
                current = position > turn_start(contents)
                dummies += self._check_signed(content["parts"], position, model, current=current)
            elif any("thoughtSignature" in part for part in content["parts"]):
                raise Refused(CORRUPTED)
        self.dummies += dummies

    def _check_signed(self, parts: Sequence[Part], position: int, model: str, *, current: bool) -> int:
        """Check one content of the model; return how many dummies it has."""
        calls = [part for part in parts if "functionCall" in part]
        if current and calls and "thoughtSignature" not in calls[0]:
            name = calls[0]["functionCall"]["name"]
            raise Refused(
                f"Function call `{name}` in the `{position}.` content block is missing a `thought_signature`."
            )
        draws = "-image" in model
        first_text = next((part for part in parts if "text" in part and not part.get("thought")), None)
        dummies = 0
        for part in parts:
            given = part.get("thoughtSignature")
            if given in DUMMIES:
                drawn = draws and ("inlineData" in part or part is first_text)
                if not drawn and not (current and calls and part is calls[0]):
                    raise Refused(CORRUPTED)
                dummies += 1
            elif given is not None:
                issued = self._issued.get(given)
                if issued is None or issued.plain != _plain(part) or part.get("thought"):
                    raise Refused(CORRUPTED)
                if self.each_for_itself and issued.model != model:
                    raise Refused(CORRUPTED)
        self._check_complete(parts, position, draws=draws)
        return dummies

    def _check_complete(self, parts: Sequence[Part], position: int, *, draws: bool) -> None:
        """Nothing that it once signed may come without."""
        came = _normal([(_plain(part), part.get("thoughtSignature", "")) for part in parts if not part.get("thought")])
        known = [said for said in self.said if said.plain == _joined(came)]
        if not known or any(said.parts == came for said in known):
            return
        signed = [entry for entry in known[-1].parts if entry[1]]
        for number, (plain, signature) in enumerate(signed, start=1):
            if (plain, signature) in came:
                continue
            if draws and "-image" in known[-1].model and not any(given in DUMMIES for _, given in came):
                kind = {"inlineData": "Image", "text": "Text"}.get(plain[0], "Call")
                raise Refused(
                    f"{kind} part is missing a thought_signature in content position {position}, "
                    f"part position {number}."
                )
            self.lost.append(f"{plain[0]} {plain[1][:40]!r} in content {position}")

    # ── answers ──

    def _say(self, said: Step, model: str, *, streamed: bool) -> Answer:
        chunks = _chunks(said, model) if streamed else [list(said.parts)]
        chunks = [[dict(part) for part in chunk] for chunk in chunks]
        for part in _to_sign([part for chunk in chunks for part in chunk], model, streamed=streamed):
            part["thoughtSignature"] = self._sign(part, model, said.signature_length)
        for number, part in enumerate(part for chunk in chunks for part in chunk if "functionCall" in part):
            part["functionCall"] = {"id": f"C{self._own}S{len(self.said)}N{number}"} | part["functionCall"]
        spoken = [part for chunk in chunks for part in chunk if not part.get("thought")]
        self.said.append(Said(model, _normal([(_plain(part), part.get("thoughtSignature", "")) for part in spoken])))
        documents = [self._document(chunk, model) for chunk in chunks]
        documents[-1]["candidates"][0]["finishReason"] = said.finish
        usage = {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 5, "totalTokenCount": 18}
        documents[-1]["usageMetadata"] = usage
        if not streamed:
            return json_reply(documents[0])
        frames = [b"data: " + json.dumps(document).encode() + b"\r\n\r\n" for document in documents]
        return raw_stream(frames, split=self.piece_bytes)

    def _document(self, parts: list[Part], model: str) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        return {"candidates": [candidate], "modelVersion": model, "responseId": f"strict{len(self.said)}"}

    def _sign(self, part: Part, model: str, length: int) -> str:
        seed = f"{self._own} {len(self._issued)}".encode()
        signature = base64.b64encode(hashlib.shake_256(seed).digest(length // 4 * 3)).decode()
        self._issued[signature] = _Issued(model, _plain(part))
        return signature


def _to_sign(parts: Sequence[Part], model: str, *, streamed: bool) -> list[Part]:
    """Choose what carries a signature (rules 2, 6 and 10)."""
    spoken = [part for part in parts if not part.get("thought")]
    calls = [part for part in spoken if "functionCall" in part]
    if calls:
        return calls[:1]
    if "-image" in model:
        texts = [part for part in spoken if part.get("text")]
        return [*texts[:1], *(part for part in spoken if "inlineData" in part)]
    return [part for part in spoken if "text" in part][-1:]


def _chunks(said: Step, model: str) -> list[list[Part]]:
    """Cut an answer as streams come: texts in pieces, the rest whole, an empty text with the end."""
    chunks: list[list[Part]] = []
    for part in said.parts:
        whole = part.get("text")
        if whole is None:
            chunks.append([part])
        else:
            size = max(1, -(-len(whole) // 3))
            chunks += [[part | {"text": whole[start : start + size]}] for start in range(0, len(whole), size)]
    return [*chunks, [{"text": ""}]]


def _plain(part: Mapping[str, Any]) -> Plain:
    for kind in ("text", "functionCall", "functionResponse", "inlineData"):
        if kind in part:
            value = part[kind]
            if kind == "functionCall":
                value = {"name": value["name"], "args": value.get("args") or {}}
            return kind, value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return "other", json.dumps({key: part[key] for key in part if key != "thoughtSignature"}, sort_keys=True)


def _normal(parts: Sequence[tuple[Plain, str]]) -> tuple[tuple[Plain, str], ...]:
    """Put neighbouring unsigned texts together and leave out empty ones."""
    made: list[tuple[Plain, str]] = []
    for plain, signature in parts:
        if plain[0] == "text" and not signature:
            if not plain[1]:
                continue
            if made and made[-1][0][0] == "text" and not made[-1][1]:
                made[-1] = (("text", made[-1][0][1] + plain[1]), "")
                continue
        made.append((plain, signature))
    return tuple(made)


def _joined(parts: Sequence[tuple[Plain, str]]) -> tuple[Plain, ...]:
    """What is said, whatever is signed."""
    return tuple(plain for plain, _ in _normal([(plain, "") for plain, _ in parts]))


def _check_result(part: Part) -> None:
    """Refuse references within results: they would name media that came with them."""
    if reference := _reference((part.get("functionResponse") or {}).get("response")):
        raise Refused(
            f"The referenced name `{reference}` does not match to a display_name in the function response parts."
        )


def _reference(value: Any) -> str:
    if isinstance(value, dict):
        if "$ref" in value:
            return str(value["$ref"])
        value = list(value.values())
    if isinstance(value, list):
        return next((found for item in value if (found := _reference(item))), "")
    return ""
