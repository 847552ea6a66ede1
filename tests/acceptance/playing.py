"""Have the upstream say something, and see what a chat client has of it in the end, streamed and whole."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance.grammar import chunks_of, completion, payloads
from tests.bed.recordings import Recording, conversations
from tests.bed.replay import fold, recorded
from tests.bed.upstream import Answer, json_reply, sse
from tests.bed.wire import Connection
from tests.e2e.bed import CHAT, Answered, Bed

Json = dict[str, Any]
PATH = "/v1/chat/completions"
NEW = "gemini-3.5-flash"

each_form = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def answering(documents: list[Json], *, stream: bool) -> Answer:
    """Answer with these chunks, or with what they are together."""
    if stream:
        return sse(documents)
    return json_reply(fold([json.dumps(document).encode() for document in documents]))


def form(*, stream: bool) -> Json:
    return {"stream": True, "stream_options": {"include_usage": True}} if stream else {}


def read(answered: Answered, *, stream: bool) -> Json:
    """The completion that a client has in hand, the grammar of its stream checked."""
    assert answered.status == 200, answered.body
    return completion(chunks_of(answered.body)) if stream else answered.json


async def said(bed: Bed, *documents: Json, stream: bool, **body: Any) -> Json:
    """Ask, have the upstream answer with these chunks, and return the completion."""
    bed.up.answer(answering(list(documents), stream=stream))
    return read(await bed.chat(**form(stream=stream), **body), stream=stream)


async def message(bed: Bed, *documents: Json, stream: bool, **body: Any) -> Json:
    """The message of the one choice."""
    made = await said(bed, *documents, stream=stream, **body)
    (choice,) = made["choices"]
    return choice["message"]


def failure(answered: Answered, *, stream: bool) -> Json | None:
    """The error that a client is told: by status, or within the stream."""
    if answered.status != 200:
        return answered.error
    if not stream:
        return None
    last = payloads(answered.body)[-1]
    return json.loads(last)["error"] if last.startswith('{"error"') else None


@dataclass(frozen=True)
class Played:
    """A recording as a chat client saw it; `None` where it was told of an error."""

    row: Recording
    chunks: list[Json] | None
    whole: Json | None

    @property
    def streamed(self) -> Json | None:
        return completion(self.chunks) if self.chunks is not None else None

    @property
    def completions(self) -> list[Json]:
        return [made for made in (self.streamed, self.whole) if made is not None]


def play_all(bed: Bed) -> tuple[Played, ...]:
    """Play every recording in both forms; a stream that breaks the grammar fails here."""
    return asyncio.run(_play_all(bed))


async def _play_all(bed: Bed) -> tuple[Played, ...]:
    made: list[Played] = []
    async with await Connection.open(bed.url, 15) as connection:
        for row in conversations():
            bed.up.always = recorded(row, pieces=3)
            streamed = await _asked(connection, bed, stream=True)
            whole = await _asked(connection, bed, stream=False)
            bed.up.requests.clear()
            try:
                broken = failure(streamed, stream=True)
                chunks = None if broken else chunks_of(streamed.body)
            except Exception as error:
                error.add_note(f"recording {row.id}")
                raise
            made.append(Played(row, chunks, whole.json if whole.status == 200 else None))
    return tuple(made)


async def _asked(connection: Connection, bed: Bed, *, stream: bool) -> Answered:
    reply = await connection.request("POST", PATH, bed.headers(), CHAT | form(stream=stream))
    return Answered(reply, await reply.body())
