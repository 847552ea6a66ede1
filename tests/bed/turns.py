"""The rules of a Gemini conversation (protocol notes §5.1) that can be seen in a request."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tests.bed.contract import camel

Part = Mapping[str, Any]
Content = Mapping[str, Any]


class TurnError(AssertionError):
    """A conversation that the service refuses; `rule` is the number in §5.1, 0 for the plain order of contents."""

    def __init__(self, rule: int, index: int, reason: str) -> None:
        self.rule = rule
        self.index = index
        super().__init__(f"rule {rule}, contents[{index}]: {reason}")


def _get(part: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in part.items() if camel(key) == name and value is not None), None)


def _parts(content: Content) -> list[Part]:
    parts = content.get("parts") or []
    return [parts] if isinstance(parts, dict) else list(parts)


def _calls(content: Content) -> list[Part]:
    return [part for part in _parts(content) if _get(part, "functionCall") is not None]


def _results(content: Content) -> list[Part]:
    return [part for part in _parts(content) if _get(part, "functionResponse") is not None]


def _is_model(content: Content) -> bool:
    return content.get("role") == "model"


def needs_signatures(model: str) -> bool:
    """Tell whether a model insists on thought signatures: Gemini 3 and later."""
    found = re.search(r"gemini-(\d+)", model)
    return bool(found) and int(found[1]) >= 3


def turn_start(contents: list[Content]) -> int:
    """Return where the current turn begins: the last user content that holds something else than results."""
    for index in range(len(contents) - 1, -1, -1):
        content = contents[index]
        if not _is_model(content) and len(_results(content)) < len(_parts(content)):
            return index
    return 0


def check_turns(body: bytes | Mapping[str, Any], model: str = "") -> None:
    """Check a `GenerateContentRequest`; raises `TurnError`. Without `model` signatures are not asked for."""
    document = msgspec.json.decode(body) if isinstance(body, bytes) else body
    contents: Any = document.get("contents") or []
    contents = [contents] if isinstance(contents, dict) else list(contents)
    for index, content in enumerate(contents):
        _check_order(contents, index, content)
    if needs_signatures(model):
        _check_signatures(contents)


def _check_order(contents: list[Content], index: int, content: Content) -> None:
    calls, results = _calls(content), _results(content)
    if calls and results:
        raise TurnError(4, index, "calls and results in one content")
    if calls and not _is_model(content):
        raise TurnError(4, index, "a call that is not the model's")
    if results and _is_model(content):
        raise TurnError(4, index, "a result that is the model's")
    if calls and index > 0 and _is_model(contents[index - 1]):
        raise TurnError(0, index, "a call must follow the user's turn or results")
    if calls and index == 0:
        raise TurnError(0, index, "a conversation cannot begin with a call")
    if calls and index + 1 < len(contents):
        following = _results(contents[index + 1])
        if not following:
            raise TurnError(4, index + 1, "a call must be followed by its results")
        _check_pairs(calls, following, index + 1)
    if results and (index == 0 or not _calls(contents[index - 1])):
        raise TurnError(4, index, "a result must directly follow its call")


def _check_pairs(calls: list[Part], results: list[Part], index: int) -> None:
    if len(calls) != len(results):
        raise TurnError(5, index, f"{len(calls)} calls and {len(results)} results")

    def named(parts: list[Part], kind: str, field: str) -> list[str]:
        return sorted(str(_get(part, kind).get(field) or "") for part in parts)

    if named(calls, "functionCall", "name") != named(results, "functionResponse", "name"):
        raise TurnError(5, index, "the results are of other functions than the calls")
    if named(calls, "functionCall", "id") != named(results, "functionResponse", "id"):
        raise TurnError(5, index, "the ids of calls and results do not pair")


def _check_signatures(contents: list[Content]) -> None:
    for index in range(turn_start(contents), len(contents)):
        content = contents[index]
        calls = _calls(content) if _is_model(content) else []
        if calls and not _get(calls[0], "thoughtSignature"):
            name = _get(calls[0], "functionCall").get("name")
            raise TurnError(1, index, f"function call {name!r} is missing a thought_signature")
