"""A message that says why nothing was said."""

from msgspec import json

from gemgate.protocols.openai_responses.message import FIRST, open_message
from gemgate.protocols.openai_responses.output import Output

encode = json.Encoder().encode


def write_refusal(output: Output, item_id: str, why: str) -> None:
    """Write the upstream's own explanation."""
    item = open_message(output, item_id)
    item.tell(b"response.content_part.added", FIRST + b',"part":' + encode(_part("")))
    item.deltas(b"response.refusal.delta", FIRST)
    output.steps.add(why)
    item.tell(b"response.refusal.done", FIRST + b',"refusal":' + encode(why))
    item.tell(b"response.content_part.done", FIRST + b',"part":' + encode(_part(why)))
    item.close({"status": "completed", "content": [_part(why)]})


def _part(why: str) -> dict[str, object]:
    return {"type": "refusal", "refusal": why}
