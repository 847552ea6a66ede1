"""What people do with Anthropic's SDK, for a process of its own: a request a line, answered by a line, both JSON."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import anthropic
import pydantic
from anthropic import Anthropic

Json = Any
SECONDS = 20.0


class Weather(pydantic.BaseModel):
    """What `parse` asks for."""

    city: str
    degrees: int


def create(client: Anthropic, body: Any) -> Json:
    return client.messages.create(**body).model_dump(mode="json")


def stream(client: Anthropic, body: Any) -> Json:
    """The message that the SDK puts together from a stream."""
    with client.messages.stream(**body) as events:
        return events.get_final_message().model_dump(mode="json")


def texts(client: Anthropic, body: Any) -> Json:
    """The pieces of text, as people print them."""
    with client.messages.stream(**body) as events:
        return list(events.text_stream)


def events(client: Anthropic, body: Any) -> Json:
    """The events of a stream, as the SDK types them."""
    return [event.model_dump(mode="json") for event in client.messages.create(stream=True, **body)]


def parse(client: Anthropic, body: Any) -> Json:
    parsed = client.messages.parse(output_format=Weather, **body).parsed_output
    return parsed.model_dump() if parsed else None


def count_tokens(client: Anthropic, body: Any) -> Json:
    return client.messages.count_tokens(**body).input_tokens


def list_models(client: Anthropic, body: Any) -> Json:
    return [model.id for model in client.models.list(**body)]


def retrieve_model(client: Anthropic, body: Any) -> Json:
    return client.models.retrieve(**body).id


def version(client: Anthropic, body: Any) -> Json:
    return anthropic.__version__


Act = Callable[[Anthropic, Any], Json]
ACTS: Mapping[str, Act] = {
    act.__name__: act
    for act in (create, stream, texts, events, parse, count_tokens, list_models, retrieve_model, version)
}


@lru_cache(maxsize=8)
def client(url: str, key: str) -> Anthropic:
    """Make a client, once: that takes longer than most answers."""
    return Anthropic(api_key=key, base_url=url, max_retries=0, timeout=SECONDS)


def done(asked: Any) -> Json:
    """Do one act: `{"made": …}`, or `{"error": …}` for what the service refused."""
    try:
        return {"made": ACTS[asked["act"]](client(asked["url"], asked["key"]), asked["body"])}
    except anthropic.APIStatusError as error:
        told: Any = error.body
        return {
            "error": {
                "class": type(error).__name__,
                "status": error.status_code,
                "request_id": error.request_id,
                "told": told.get("error") if isinstance(told, dict) else told,
            }
        }


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(done(json.loads(line))) + "\n")
        sys.stdout.flush()
