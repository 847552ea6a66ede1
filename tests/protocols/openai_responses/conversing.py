"""Short ways to read a conversation."""

import json
from typing import Any

import pytest
from msgspec import UNSET, Raw

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Message, Part, Signature
from gemgate.protocols.openai_responses.conversation import Conversation, Past, conversation
from gemgate.protocols.shared.raw_json import JsonField
from gemgate.protocols.shared.seals import Seal, sealed

Json = dict[str, Any]
HI: Json = {"role": "user", "content": "hi"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKMSAwIG9iago8PCAvVHlwZSAvQ2F0YWxvZyA+PgplbmRvYmoK"
MARK = Signature("gemini", "YQ==", "three")


def raw(value: Any) -> JsonField:
    return UNSET if value is None else Raw(json.dumps(value).encode())


def talk(given: Any, past: Past | None = None, instructions: Any = None) -> Conversation:
    return conversation(raw(given), past or Past(), raw(instructions))


def messages(*items: Any, past: Past | None = None) -> tuple[Message, ...]:
    """What a list of items becomes."""
    return talk(list(items), past).messages


def said(*items: Any) -> list[tuple[str, tuple[Part, ...]]]:
    """The messages, as roles and parts."""
    return [(message.role, message.parts) for message in messages(*items)]


def user(*content: Any) -> tuple[Part, ...]:
    """The parts of a user's message."""
    return messages({"role": "user", "content": list(content)})[0].parts


def assistant(*content: Any) -> tuple[Part, ...]:
    """The parts of an assistant's message in a history."""
    return messages(HI, {"role": "assistant", "content": list(content)})[1].parts


def lost(*items: Any) -> list[str]:
    """The paths of what is dropped."""
    return [drop.path for drop in talk(list(items)).dropped]


def refusal(given: Any, instructions: Any = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as error:
        talk(given, instructions=instructions)
    assert error.value.message
    return error.value


def call(call_id: str, name: str = "f", **more: Any) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"} | more


def output(call_id: str, given: Any = "ok", **more: Any) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": given} | more


def reasoning(target: str, mark: Signature | None = MARK, summary: str = "") -> Json:
    shown = [{"type": "summary_text", "text": summary}] if summary else []
    return {"type": "reasoning", "summary": shown, "encrypted_content": sealed(Seal(target, mark))}
