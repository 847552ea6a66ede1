"""Signatures: out through a stream or whole, kept by a client, and back on the part they came with (acceptance 1–5)."""

import base64
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Finish, ResponseStart, Usage
from gemgate.hub.parts import Inline, Media, Part, Signature, Text, ToolCall
from gemgate.protocols.openai_chat.style import Style
from tests.protocols.openai_chat.asking import HI, Json, assistant, call_of
from tests.protocols.replaying import accumulated, chat_stream, chat_whole, comparable, kept_parts

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(30))).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(30)).decode()
CONTENT, FIELD, LEGACY = Style(), Style(images="field"), Style(legacy_calls=True)

signatures = st.none() | st.builds(Signature, st.just("gemini"), st.sampled_from(["YQ==", "Yg==", "c2ln" * 300]))
# An image between fences of the model's own is code.
words = st.text(st.sampled_from("ab \n!][(é💎`"), max_size=6).filter(lambda text: "```" not in text)
texts = st.builds(Text, words, signatures)
images = st.builds(
    lambda data, mark: Media("image/png" if data is PNG else "image/jpeg", Inline(data), signature=mark),
    st.sampled_from([PNG, JPEG]),
    signatures,
)
arguments = st.sampled_from(["{}", '{"a": 1}', '{"b":"\\u00e9"}'])
calls = st.builds(ToolCall, st.just(""), st.sampled_from(["f", "g"]), arguments, signatures)


def numbered(parts: Sequence[Part]) -> list[Part]:
    """The same with ids of their own for the calls."""
    return [replace(part, id=f"c{i}") if isinstance(part, ToolCall) else part for i, part in enumerate(parts)]


def canonical(parts: Sequence[Part]) -> list[Part]:
    """As the upstream's reader gives parts: unsigned texts that follow each other are one, empty ones none."""
    made: list[Part] = []
    for part in parts:
        if isinstance(part, Text) and part.signature is None:
            if not part.text:
                continue
            if made and isinstance(made[-1], Text) and made[-1].signature is None:
                made[-1] = Text(made[-1].text + part.text)
                continue
        made.append(part)
    return made


def reply(parts: Sequence[Part], *, late: bool = False, cut: bool = False) -> list[list[Event]]:
    """The events of an answer; `late` brings signatures at the ends, `cut` brings texts and arguments in pieces."""
    made: list[Event] = [ResponseStart("", "")]
    for part in parts:
        assert isinstance(part, (Text, Media, ToolCall))
        mark = part.signature if late else None
        begun: Part = replace(part, signature=None) if late else part
        more: list[str] = []
        if cut and isinstance(begun, Text):
            more, begun = [begun.text[:2], begun.text[2:]], replace(begun, text="")
        if cut and isinstance(begun, ToolCall):
            more, begun = [begun.arguments[:1], begun.arguments[1:]], replace(begun, arguments="")
        made += [BlockStart(0, begun), *(BlockDelta(0, piece) for piece in more if piece), BlockEnd(0, mark)]
    return [made, [Usage(), Finish(0, "tool_calls" if any(isinstance(p, ToolCall) for p in parts) else "stop", "STOP")]]


def messages(parts: Sequence[Part], style: Style = CONTENT, **how: bool) -> list[Json]:
    """What a client keeps of the answer: streamed and whole, which must be alike."""
    batches = reply(parts, **how)
    streamed, whole = accumulated(chat_stream(batches, style=style)), chat_whole(batches, style=style)
    assert comparable(streamed) == comparable(whole)
    return [completion["choices"][0]["message"] for completion in (streamed, whole)]


@settings(deadline=None, max_examples=150)
@given(st.lists(texts | images, max_size=6), st.lists(calls, max_size=3), st.booleans(), st.booleans())
def test_every_part_comes_back_with_its_own_signature(
    content: list[Part], called: list[Part], late: bool, cut: bool
) -> None:
    parts = numbered(canonical([*content, *called]))
    for message in messages(parts, late=late, cut=cut):
        assert list(kept_parts(message)) == parts
        tools = message.get("tool_calls") or []
        assert [call["id"] for call in tools] == [part.id for part in parts if isinstance(part, ToolCall)]


@settings(deadline=None, max_examples=50)
@given(st.lists(texts, max_size=4), st.lists(images, max_size=3), st.lists(calls, max_size=2), st.booleans())
def test_images_in_a_field_of_their_own(said: list[Part], shown: list[Part], called: list[Part], late: bool) -> None:
    parts = numbered(canonical([*said, *shown, *called]))
    for message in messages(parts, FIELD, late=late):
        assert list(kept_parts(message)) == parts
        assert "data:" not in (message["content"] or "") and len(message.get("images") or []) == len(shown)


SIGNED = Signature("gemini", "YQ==")


@pytest.mark.parametrize(
    ("parts", "spans"),
    [
        ([Text("abc", SIGNED)], None),
        ([Text("", SIGNED)], None),
        ([Text("abc"), Text("", SIGNED)], [(3, 3)]),
        ([Text("abc"), Text("def", SIGNED)], [(3, 6)]),
        ([Text("abc", SIGNED), Text("def")], [(0, 3)]),
        ([Text("abc", SIGNED), Text("def", Signature("gemini", "Yg=="))], [(0, 3), (3, 6)]),
    ],
)
def test_what_the_one_slot_cannot_tell_stands_beside_it(parts: list[Part], spans: list[tuple[int, int]] | None) -> None:
    """The last signature is in Google's slot, and nowhere twice."""
    for message in messages(parts):
        extra = message["extra_content"]
        *_, last = [part.signature for part in parts if isinstance(part, Text) and part.signature]
        assert extra["google"] == {"thought_signature": last.value}
        marks = extra["gemgate"]["signatures"] if "gemgate" in extra else None
        assert (None if marks is None else [(mark["start"], mark["end"]) for mark in marks]) == spans
        assert marks is None or "signature" not in marks[-1]


def test_the_message_is_signed_once_and_right_before_the_end() -> None:
    """SDKs put the fields of deltas together; two signatures would become one that is none."""
    parts = [Text("a", SIGNED), Media("image/png", Inline(PNG), signature=SIGNED), Text("", SIGNED)]
    chunks = [chunk["choices"][0] for chunk in chat_stream(reply(parts), usage=False)]
    assert [number for number, chunk in enumerate(chunks) if "extra_content" in chunk["delta"]] == [len(chunks) - 2]
    assert chunks[-1]["finish_reason"] == "stop"


def test_a_late_signature_of_a_call_in_pieces() -> None:
    (call,) = (messages([ToolCall("c", "f", '{"a":1}', SIGNED)], late=True, cut=True)[0])["tool_calls"]
    assert call["extra_content"] == {"google": {"thought_signature": "YQ=="}}
    twice = [[ResponseStart("", ""), BlockStart(0, ToolCall("c", "f", "{}", SIGNED)), BlockEnd(0, SIGNED)]]
    streamed = accumulated(chat_stream([*twice, [Usage(), Finish(0, "tool_calls")]]))
    (call,) = streamed["choices"][0]["message"]["tool_calls"]
    assert call["extra_content"] == {"google": {"thought_signature": "YQ=="}}


def test_a_call_of_old_keeps_its_signature() -> None:
    for late in (False, True):
        for message in messages([Text("so"), ToolCall("", "f", '{"a":1}', SIGNED)], LEGACY, late=late, cut=True):
            assert "tool_calls" not in message and message["function_call"]["name"] == "f"
            assert kept_parts(message) == (Text("so"), ToolCall("", "f", '{"a":1}', SIGNED))


def test_clients_that_trim_an_answer() -> None:
    image = Media("image/png", Inline(PNG), signature=Signature("gemini", "Yg=="))
    for parts in ([image], [Text("see"), image], [Text("see", SIGNED), image], [image, image]):
        for message in messages(parts):
            assert list(kept_parts(message | {"content": message["content"].strip()})) == parts


def test_content_that_a_client_has_put_into_parts() -> None:
    parts = [Text("abc", SIGNED), Text("def", Signature("gemini", "Yg=="))]
    for message in messages(parts):
        for texts_ in (["abcdef"], ["ab", "cdef"]):
            listed = [{"type": "text", "text": text} for text in texts_]
            assert list(kept_parts(message | {"content": listed})) == parts


MARKS: list[Any] = [
    [{"start": 0, "end": 99}, {"start": 99, "end": 120}],
    [{"start": 5, "end": 2}],
    [{"start": -1, "end": 2}],
    [{"end": 1}, {"end": 2}],
    [{}],
    [],
    None,
]


@pytest.mark.parametrize("marks", MARKS)
def test_marks_that_do_not_fit_lose_nothing(marks: Any) -> None:
    """The content was changed: Google's own slot still holds, on the end."""
    extra = {"google": {"thought_signature": "YQ=="}, "gemgate": {"signatures": marks}}
    parts = assistant(content="abc", extra_content=extra)
    assert "".join(part.text for part in parts if isinstance(part, Text)) == "abc"
    assert [part.signature for part in parts if isinstance(part, Text) and part.signature] == [SIGNED]


@pytest.mark.parametrize("content", [None, ""])
def test_a_signature_without_content(content: str | None) -> None:
    extra = {"google": {"thought_signature": "YQ=="}}
    assert assistant(content=content, extra_content=extra) == (Text("", SIGNED),)
    assert assistant(content=content, extra_content={"google": None, "gemgate": None}) == ()


@pytest.mark.parametrize(
    "call",
    [
        {"id": "call_1__thought__YQ=="},
        {"id": "call_1", "provider_specific_fields": {"thought_signature": "YQ=="}},
        {"id": "call_1", "extra_content": {"google": {"thought_signature": "YQ=="}}},
        {"id": "call_1__thought__Yg==", "extra_content": {"google": {"thought_signature": "YQ=="}}},
    ],
)
def test_signatures_of_another_gateway(call: Json) -> None:
    """Notes §5.3: packed into ids, which must not leak, or in fields of its own."""
    function = {"name": "f", "arguments": "{}"}
    assert assistant(content=None, tool_calls=[{"type": "function", "function": function} | call]) == (
        ToolCall("call_1", "f", "{}", SIGNED),
    )
    inner = function | {"provider_specific_fields": {"thought_signature": "YQ=="}}
    assert assistant(tool_calls=[{"id": "call_1", "function": inner}]) == (ToolCall("call_1", "f", "{}", SIGNED),)
    fields = {"thought_signatures": ["YQ=="]}
    assert assistant(content="a", provider_specific_fields=fields) == (Text("a", SIGNED),)


def test_a_result_answers_a_call_with_a_packed_id() -> None:
    call = {"id": "c1__thought__YQ==", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "c1__thought__YQ==", "content": "x"}
    made = call_of(messages=[HI, {"role": "assistant", "tool_calls": [call]}, result])
    (answer,) = made.messages[2].parts
    assert json.dumps({"output": "x"}, separators=(",", ":")) == getattr(answer, "response", "")
    assert (getattr(answer, "id", ""), getattr(answer, "name", "")) == ("c1", "f")


def test_many_marks_on_many_images_are_read_in_linear_time() -> None:
    """Each piece used to look at all marks: 8,000 of both took three seconds."""
    image = "![a](data:image/png;base64,iVBORw0KGgo=)"
    count, end = 8_000, 8_000 * len(image)
    marks = [{"start": end, "end": end, "signature": "a"}] * count
    began = time.process_time()
    parts = assistant(content=image * count, extra_content={"gemgate": {"signatures": marks}})
    assert time.process_time() - began < 1.5 and len(parts) == 2 * count


def test_marks_that_overlap_repeat_nothing() -> None:
    marks = [{"start": 0, "end": 4, "signature": "a"}, {"start": 1, "end": 2, "signature": "b"}]
    parts = assistant(content="abcdef", extra_content={"gemgate": {"signatures": marks}})
    assert "".join(part.text for part in parts if isinstance(part, Text)) == "abcdef"
