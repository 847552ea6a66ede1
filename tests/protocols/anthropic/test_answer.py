"""Any run of events: the stream keeps to its grammar, and the client ends up with the whole message."""

import json
from collections.abc import Callable
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gemgate.errors import UpstreamError
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    Page,
    PagesRead,
    ResponseStart,
    Usage,
)
from gemgate.hub.fold import fold
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Inline,
    Media,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    Vendor,
)
from gemgate.protocols.anthropic.style import Style, Thinking
from gemgate.protocols.shared.media_text import media_url
from gemgate.protocols.shared.seals import opened
from tests.acceptance.messages_grammar import Json, message_of
from tests.protocols.anthropic.replies import comparable, sdk_message, told, whole, writer
from tests.protocols.replaying import written

REASONS: list[FinishReason] = ["stop", "length", "tool_calls", "content_filter", "malformed", "other"]

WORDS = st.text(max_size=5)
SIGNATURES = st.none() | st.builds(Signature, st.just("gemini"), st.text("aZ0+/=", min_size=1, max_size=3))
IDS = st.sampled_from(["", "x1", "x2"])
CODE_IDS = st.sampled_from(["", "x1", "x2", "srvtoolu_9", "odd id"])
ARGUMENTS = st.dictionaries(WORDS, st.integers() | WORDS, max_size=2).map(json.dumps) | st.sampled_from(
    ["", "{", "[1]", "{}", '{"a":1'],
)
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, WORDS, SIGNATURES),
    st.builds(Thought, WORDS, SIGNATURES),
    st.builds(ToolCall, IDS, st.just("f"), ARGUMENTS, SIGNATURES),
    st.builds(Code, CODE_IDS, st.just("python"), WORDS, SIGNATURES),
    st.builds(CodeResult, CODE_IDS, st.sampled_from(["ok", "failed", "deadline_exceeded", ""]), WORDS),
    st.builds(Media, st.just("image/png"), st.just(Inline("QUJD")), st.booleans(), SIGNATURES),
    st.just(Opaque(Vendor("gemini", "{}"))),
)
URLS = st.sampled_from(["https://a.test", "https://b.test"])
CITED = st.builds(Citation, URLS, WORDS, st.integers(0, 3), st.integers(0, 9))
BESIDE: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Citations,
        st.integers(0, 1),
        st.lists(CITED, max_size=3).map(tuple),
        st.none(),
        st.lists(WORDS, max_size=2).map(tuple),
    ),
    st.builds(PagesRead, st.integers(0, 1), st.lists(st.builds(Page, URLS, st.booleans()), max_size=2).map(tuple)),
    st.just(BlockStart(1, Text("of another choice"))),
)


@st.composite
def block(draw: st.DrawFn) -> list[Event]:
    """A part as it may come: at once or in pieces, its signature with it or behind it, others between."""
    part = draw(PARTS)
    pieces = draw(st.lists(WORDS, max_size=3))
    if isinstance(part, Media | Opaque):
        pieces = []
    elif isinstance(part, ToolCall):
        cut = draw(st.integers(0, len(part.arguments)))
        part, pieces = replace(part, arguments=part.arguments[:cut]), list(part.arguments[cut:])
    events: list[Event] = [BlockStart(0, part), *(BlockDelta(0, piece) for piece in pieces)]
    events += draw(st.lists(BESIDE, max_size=1))
    unsigned = isinstance(part, Text | Thought | ToolCall | Code) and part.signature is None
    return [*events, BlockEnd(0, draw(SIGNATURES) if unsigned else None)]


@st.composite
def runs(draw: st.DrawFn) -> list[list[Event]]:
    """A reply, cut into batches anywhere."""
    middle = draw(st.lists(block() | BESIDE.map(lambda event: [event]), max_size=7))
    counts = st.integers(0, 9)
    usage = Usage(input_tokens=9, cached_tokens=draw(counts), output_tokens=draw(counts), thought_tokens=draw(counts))
    start: list[Event] = [ResponseStart("", "", None, draw(counts), draw(counts))] if draw(st.booleans()) else []
    events = [*start, *(event for group in middle for event in group), usage]
    cut = draw(st.integers(0, len(events)))
    finish = Finish(0, draw(st.sampled_from(REASONS)), draw(WORDS), draw(WORDS))
    return [events[:cut], events[cut:], [finish, Finish(1, "stop")]]


def streamed(batches: list[list[Event]], style: Style) -> Json:
    return message_of(told(batches, style))


def attempt(write: Callable[..., Json], batches: list[list[Event]], style: Style) -> Json | str:
    try:
        return write(batches, style)
    except UpstreamError as error:
        return str(error)


@given(runs(), st.sampled_from(get_args(Thinking)), st.booleans())
@settings(max_examples=300, deadline=None)
def test_streamed_and_whole_are_alike(batches: list[list[Event]], thinking: Thinking, server_tools: bool) -> None:
    """Acceptance 19 and 20, by the rules of the official SDK and by its own code."""
    style = Style(thinking=thinking, server_tools=server_tools)
    message = attempt(streamed, batches, style)
    made = attempt(whole, batches, style)
    if isinstance(message, str) or isinstance(made, str):
        assert message == made
        return
    assert comparable(message) == comparable(made)
    by_sdk = sdk_message(written(writer(style), batches))
    assert by_sdk["content"] == made["content"] and by_sdk["stop_reason"] == made["stop_reason"]
    _check(batches, made, thinking=thinking)


def _check(batches: list[list[Event]], made: Json, *, thinking: Thinking) -> None:
    """Nothing is lost on the way, nothing is added, and every signed call has its signature."""
    reply = fold([event for batch in batches for event in batch])
    parts = reply.choices[0].parts
    content: list[Json] = made["content"]
    shown = "".join(block["text"] for block in content if block["type"] == "text")
    for part in parts:
        if isinstance(part, Media) and not part.thought:
            shown = shown.replace(f"![image]({media_url(part)})\n", "", 1)
    said = "".join(part.text for part in parts if isinstance(part, Text))
    assert shown.replace("\n", "") == said.replace("\n", "")
    thoughts = "".join(part.text for part in parts if isinstance(part, Thought)) if thinking != "off" else ""
    assert "".join(block["thinking"] for block in content if block["type"] == "thinking") == thoughts
    calls = [part for part in parts if isinstance(part, ToolCall)]
    assert [block["name"] for block in content if block["type"] == "tool_use"] == [call.name for call in calls]
    seals = [opened(block["signature"]) for block in content if block["type"] == "thinking"]
    assert all(seals) and (thinking != "off" or not seals)
    for kind, begins in ((ToolCall, "call-"), (Code, "code-")):
        signed = [part.signature for part in parts if isinstance(part, kind) and part.signature is not None]
        sealed = [seal.signature for seal in seals if seal and seal.target.startswith(begins)]
        if thinking == "unasked":  # where thoughts lead to it
            assert set(sealed) <= set(signed) and len(sealed) <= len(signed)
        else:
            assert sealed == (signed if thinking == "asked" else [])
    uses = [block["id"] for block in content if block["type"] == "server_tool_use"]
    results = [block["tool_use_id"] for block in content if block["type"].endswith("_tool_result")]
    assert set(results) <= set(uses)
