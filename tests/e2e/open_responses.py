"""The published types of Open Responses, held strictly against what a gateway answers over HTTP and WebSocket."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from openresponses_types import types
from pydantic import BaseModel, ValidationError
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.bed import CALLER, Bed

Json = dict[str, Any]
SECONDS = 15.0
ENDS = ("response.completed", "response.failed", "response.incomplete")


def _events() -> Iterator[tuple[str, type[BaseModel]]]:
    """Each event of a stream, by its name."""
    for name, kind in vars(types).items():
        if name.endswith("StreamingEvent") and isinstance(kind, type) and issubclass(kind, BaseModel):
            annotation: Any = kind.model_fields["type"].annotation
            (told,) = annotation
            yield told.value, kind


EVENTS: Mapping[str, type[BaseModel]] = dict(_events())


def faults(kind: type[BaseModel], document: Any, where: str = "") -> list[str]:
    """List what a document lacks of a type; numbers and words are not taken for each other."""
    try:
        kind.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as wrong:
        return [f"{where}{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors()]
    return []


def response_faults(document: Any) -> list[str]:
    """List what a response lacks."""
    return faults(types.ResponseResource, document)


def event_faults(event: Json) -> list[str]:
    """List what an event of a stream lacks."""
    kind = EVENTS.get(event["type"])
    return faults(kind, event, f"{event['type']}: ") if kind else [f"{event['type']} is no event of Open Responses"]


@dataclass
class Turn:
    """What one request over a socket was answered with."""

    events: list[Json] = field(default_factory=list[Json])

    @property
    def error(self) -> Json | None:
        """The error that it ended with, in place of a response or within it."""
        last = self.events[-1]
        if last["type"] == "error":
            return last["error"]
        return last["response"]["error"]

    @property
    def response(self) -> Json:
        """The response that it ended with."""
        last = self.events[-1]
        assert last["type"] in ENDS, last
        return last["response"]

    def faults(self) -> list[str]:
        """List what the events lack; the error of a socket has a type of its own."""
        made: list[str] = []
        for event in self.events:
            is_error = event["type"] == "error"
            made += faults(types.WebSocketErrorEvent, event) if is_error else event_faults(event)
        return made


class Socket:
    """A connection on which responses are created one after another."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def opened(cls, bed: Bed, key: str = CALLER) -> AsyncIterator[Self]:
        """Connect while the block runs."""
        address = bed.url.replace("http://", "ws://") + "/v1/responses"
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        async with connect(address, additional_headers=headers, open_timeout=SECONDS, proxy=None) as connection:
            yield cls(connection)

    async def create(self, **body: Any) -> Turn:
        """Ask for a response and read until its end."""
        request = {"type": "response.create"} | body
        assert faults(types.WebSocketResponseCreateEvent, request) == []
        return await self.create_as_it_is(request)

    async def create_as_it_is(self, request: Json) -> Turn:
        """Ask likewise; of items that the service itself wrote no form is demanded."""
        await self._connection.send(json.dumps(request))
        turn = Turn()
        while not turn.events or turn.events[-1]["type"] not in (*ENDS, "error"):
            event = json.loads(await self._connection.recv())
            if event["type"] != "keepalive":
                turn.events.append(event)
        return turn


Check = Callable[[Json], bool]


def has_output(response: Json) -> bool:
    return bool(response["output"])


def is_completed(response: Json) -> bool:
    return response["status"] == "completed"


def has(kind: str) -> Check:
    def check(response: Json) -> bool:
        return any(item["type"] == kind for item in response["output"])

    return check


def unmet(response: Json, checks: Sequence[Check]) -> list[str]:
    """List what a response lacks, by its type and by what is wanted of it."""
    return response_faults(response) or [check.__qualname__ for check in checks if not check(response)]
