"""Every recorded request of OpenAI's Responses through the gateway, and what clients and users ask of it."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from tests.bed.recordings import (
    ClientRequest,
    ExampleCall,
    Recording,
    load_calls,
    load_clients,
    load_recordings,
    needs_recordings,
    needs_shared,
)
from tests.bed.sent import check_sent
from tests.e2e.bed import CALLER, Answered, Bed
from tests.e2e.responses_reading import PATH, Json, read

pytestmark = needs_recordings

TALKS = "/v1/conversations"
COUNT = f"{PATH}/input_tokens"
ENDED = ("completed", "incomplete", "failed")

RECORDED = [row for row in load_recordings("openai") if row.method == "POST" and row.path in (PATH, TALKS)]
WITHOUT_PAST = "400 Previous response with id … not found."
REFUSED = {
    WITHOUT_PAST: 17,  # what came before was not recorded
    "400 No tool call found for function call output with call_id call_….": 1,  # what came before calls nothing here
    "400 No host of the name … can be found. Check the URL, or send the media as data (base…).": 3,
    "400 tool_choice asks for an image, and this model makes none. Ask a model that does.": 1,
}
HOP = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}
LEFT_OUT = {
    "tools.8",  # Codex searches the web beside its functions, which the older models cannot
    "tools.2",  # an image of a model that makes none
}
"""What the captured clients ask for that the captured models have not."""


class Play:
    """Recorded requests in their order, the ids that they were answered with put in place of the recorded ones."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._ids: dict[str, str] = {}
        self.reasons: Counter[str] = Counter()
        self.faults: list[str] = []

    async def ask(self, row: Recording) -> None:
        self._bed.up.requests.clear()
        try:
            answered = await self._bed.ask("POST", row.path, self._own(row))
            if answered.status != 200:
                self._refused(answered)
                return
            made = answered.json if row.path == TALKS else await self._ended(read(answered, stream=_streamed(row)))
            assert row.path == TALKS or made["status"] == "completed", made
            check_sent(self._bed.up.requests, canonical=True)
            self._remember(row, made["id"])
        except Exception as wrong:  # to name all that is wrong at once
            self.faults.append(f"{row.id}: {wrong}"[:1_000])

    async def _ended(self, made: Json) -> Json:
        """Wait for the end of what is done in the background."""
        while made["status"] not in ENDED:
            made = read(await self._bed.ask("GET", f"{PATH}/{made['id']}"), stream=False)
        return made

    def _refused(self, answered: Answered) -> None:
        assert 400 <= answered.status < 500 and self._bed.up.requests == [], answered.body
        words = re.sub(r"'[^']*'|(?<=name )[\w.-]+|\d+", "…", answered.error["message"])
        self.reasons[f"{answered.status} {words}"] += 1

    def _own(self, row: Recording) -> Any:
        """The recorded request; addresses of media lead nowhere."""
        text = msgspec.json.encode(row.request).decode()
        text = re.sub(r'("(?:file|image)_url":")https?://[^/"]+', r"\1http://media.invalid", text)
        known = self._ids if row.status == 200 else {}
        return re.sub(r'(?<=")(?:resp|conv)_\w+(?=")', lambda found: known.get(found[0], found[0]), text).encode()

    def _remember(self, row: Recording, own: str) -> None:
        kind = b"conv" if row.path == TALKS else b"resp"
        if found := re.search(rb'"(%b_\w+)"' % kind, row.body()):
            self._ids[found[1].decode()] = own


def _streamed(row: Recording) -> bool:
    return bool(row.request.get("stream"))


async def _played(bed: Bed, rows: Iterable[Recording]) -> Play:
    play = Play(bed)
    for row in rows:
        await play.ask(row)
    return play


async def test_what_was_asked_is_answered(bed: Bed) -> None:
    """What the real service refused is no trouble here for the most part: names of models, files of odd types."""
    assert len(RECORDED) > 350
    play = await _played(bed, RECORDED)
    assert play.faults == []
    assert dict(play.reasons) == REFUSED


CLIENTS = [
    request
    for name in ("codex", "openai-python-3", "openai-js")
    for request in load_clients(name)
    if request.method == "POST" and request.path in (PATH, COUNT, TALKS)
]


@needs_shared
@pytest.mark.parametrize("request_", [pytest.param(one, id=one.id) for one in CLIENTS])
async def test_what_clients_send_is_taken(bed: Bed, request_: ClientRequest) -> None:
    """With the headers that they sent, but for the key and for those that the capture has cut."""
    kept = [(name, value) for name, value in request_.headers if name.lower() not in HOP and value.isascii()]
    body = {name: value for name, value in request_.body.items() if name != "previous_response_id"}
    answered = await bed.ask("POST", request_.path, body, dict(kept) | {"accept-encoding": "identity"})
    if request_.path == PATH:
        made = read(answered, stream=bool(body.get("stream")))
        assert made["status"] == "completed" and made["model"] == body["model"]
        assert check_sent(bed.up.requests, canonical=True) == 1
    else:
        assert answered.status == 200, answered.body
    dropped = set((answered.header("x-gemgate-dropped") or "").split(", ")) - {""}
    assert dropped <= LEFT_OUT, dropped


CALLS = [one for one in load_calls() if one.name.startswith("responses")]


@needs_shared
@pytest.mark.parametrize("example", [pytest.param(one, id=one.name) for one in CALLS])
async def test_what_users_call_is_answered(bed: Bed, example: ExampleCall) -> None:
    bearer = {"Authorization": f"Bearer {CALLER}"}
    answered = await bed.ask(example.method, example.path, example.body, bearer, key=None)
    made = read(answered, stream=bool(example.body.get("stream")))
    assert made["status"] == "completed" and made["output"][-1]["content"][0]["text"]


@needs_shared
def test_all_of_them_are_there() -> None:
    assert {one.client for one in CLIENTS} == {"codex", "openai-python-3", "openai-js"} and len(CALLS) == 2
