"""What people do with OpenAI's SDK, for a process of its own: a request a line, answered by a line, both JSON."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from typing import Any

import openai
import pydantic
from openai import AsyncOpenAI, OpenAI

Json = Any
SECONDS = 20.0
ENDS = ("response.completed", "response.failed", "response.incomplete", "error")


class Weather(pydantic.BaseModel):
    """What `parse` asks for, and what the tool of `parse_call` is given."""

    city: str
    degrees: int


def plain(made: Any) -> Json:
    """What a call has made, as JSON: all pages of a list, all events of a stream."""
    if isinstance(made, openai.Stream) or hasattr(made, "iter_pages"):
        return [plain(one) for one in made]
    if not isinstance(made, pydantic.BaseModel):
        return made
    text = getattr(made, "output_text", None)
    return made.model_dump(mode="json") | ({} if text is None else {"output_text": text})


def call(client: OpenAI, asked: Any) -> Json:
    """Call any method, such as `responses.input_items.list`."""
    method: Any = reduce(getattr, asked["method"].split("."), client)
    return plain(method(*asked["path"], **asked["body"]))


def stream(client: OpenAI, asked: Any) -> Json:
    """The response that the SDK puts together from a stream."""
    with client.responses.stream(**asked["body"]) as events:
        return plain(events.get_final_response())


def helper_events(client: OpenAI, asked: Any) -> Json:
    """The events that the helper makes of a stream, its own snapshots among them."""
    with client.responses.stream(**asked["body"]) as events:
        return [event.model_dump(mode="json") for event in events]


def last_event(client: OpenAI, asked: Any) -> Json:
    """The event that a stream ends with, all of it read by the helper."""
    with client.responses.stream(**asked["body"]) as events:
        *_, last = events
        return last.model_dump(mode="json")


def parse(client: OpenAI, asked: Any) -> Json:
    parsed = client.responses.parse(text_format=Weather, **asked["body"]).output_parsed
    return parsed.model_dump() if parsed else None


def parse_stream(client: OpenAI, asked: Any) -> Json:
    with client.responses.stream(text_format=Weather, **asked["body"]) as events:
        parsed = events.get_final_response().output_parsed
    return parsed.model_dump() if parsed else None


def parse_call(client: OpenAI, asked: Any) -> Json:
    """The arguments of the calls of a strict tool, as the SDK reads them."""
    tool: Any = openai.pydantic_function_tool(Weather, name="report")["function"]
    tools: Any = [{"type": "function", **tool}]
    made = client.responses.parse(tools=tools, **asked["body"])
    calls: list[Any] = [item for item in made.output if item.type == "function_call"]
    return [plain(one.parsed_arguments) for one in calls]


def asynchronous(client: OpenAI, asked: Any) -> Json:
    """A whole response and a streamed one, with the client that does not block."""

    async def both() -> Json:
        async with AsyncOpenAI(
            api_key=client.api_key, base_url=str(client.base_url), max_retries=0, timeout=SECONDS
        ) as other:
            whole = await other.responses.create(**asked["body"])
            async with other.responses.stream(**asked["body"]) as events:
                return [plain(whole), plain(await events.get_final_response())]

    return asyncio.run(both())


def socket(client: OpenAI, asked: Any) -> Json:
    """The events of several responses on one WebSocket; `{"previous": n}` stands for the id of the nth."""
    ids: list[str] = []
    told: list[Json] = []
    with client.responses.connect() as connection:
        for body in asked["body"]["turns"]:
            previous = body.pop("previous", None)
            connection.send(
                {"type": "response.create"}
                | body
                | ({} if previous is None else {"previous_response_id": ids[previous]})
            )
            events: list[Json] = []
            while not events or events[-1]["type"] not in ENDS:
                event = connection.recv().model_dump(mode="json")
                if event["type"] != "keepalive":
                    events.append(event)
            ids.append((events[-1].get("response") or {}).get("id", ""))
            told.append(events)
    return told


def version(client: OpenAI, asked: Any) -> Json:
    return openai.__version__


Act = Callable[[OpenAI, Any], Json]
ACTS: Mapping[str, Act] = {
    act.__name__: act
    for act in (
        call,
        stream,
        helper_events,
        last_event,
        parse,
        parse_stream,
        parse_call,
        asynchronous,
        socket,
        version,
    )
}


@lru_cache(maxsize=8)
def client(url: str, key: str) -> OpenAI:
    """Make a client, once: that takes longer than most answers."""
    return OpenAI(api_key=key, base_url=url + "/v1", max_retries=0, timeout=SECONDS)


def done(asked: Any) -> Json:
    """Do one act: `{"made": …}`, or `{"error": …}` for what the service refused."""
    try:
        return {"made": ACTS[asked["act"]](client(asked["url"], asked["key"]), asked)}
    except openai.APIStatusError as error:
        return {
            "error": {
                "class": type(error).__name__,
                "status": error.status_code,
                "request_id": error.request_id,
                "told": error.body,
            }
        }


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(done(json.loads(line))) + "\n")
        sys.stdout.flush()
