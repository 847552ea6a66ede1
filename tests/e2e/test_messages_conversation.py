"""A long conversation in messages, by the official SDK and by hand, before a Gemini that insists on its signatures."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anthropic
import pytest

from tests.bed.gateway import running_gateway
from tests.bed.strict_gemini import LARGE, StrictGemini, call, step, text, thought
from tests.bed.upstream import FakeUpstream
from tests.e2e.bed import CALLER, OTHER, Bed

Json = dict[str, Any]
MODEL = "gemini-3.5-flash"
ASKED: Json = {"role": "user", "content": "Where is it warmer, in Rome or in Oslo? 🌡"}
TOOLS: Any = [
    {"name": name, "input_schema": {"type": "object", "properties": {"q": {}}}} for name in ("find", "measure")
]
FIRST, SECOND, THIRD = (
    [call("find", q="Rome")],
    [call("measure", q="Rome"), call("measure", q="Oslo"), call("find", q="Ö")],
    [call("measure", q="sea")],
)
Way = Literal["whole", "stream"]
Keep = Callable[[Any], list[Any]]


def own_objects(message: Any) -> list[Any]:
    """The SDK's own, as they came."""
    return message.content


def kept(message: Any) -> list[Json]:
    """As JSON, through a client's own store, with nothing that was not sent."""
    return json.loads(json.dumps([block.to_dict() for block in message.content]))


def stripped(message: Any) -> list[Json]:
    """What a client keeps that knows texts and tools alone."""
    names = {"text": ("type", "text"), "tool_use": ("type", "id", "name", "input")}
    made = [block.to_dict() for block in message.content if block.type in names]
    return [{name: block[name] for name in names[block["type"]]} for block in made]


each_way = pytest.mark.parametrize("way", ["whole", "stream"])
each_keep = pytest.mark.parametrize("keep", [own_objects, kept, stripped])


@dataclass
class Talk:
    """A client and its history; `keep` is what it makes of a message before it sends it back."""

    web: anthropic.DefaultHttpxClient
    url: str
    strict: StrictGemini
    way: Way
    keep: Keep
    key: str = CALLER
    thinking: str = "adaptive"
    model: str = MODEL
    messages: list[Any] = field(default_factory=lambda: [ASKED])

    def say(self, *parts: Any, signature_length: int = 120) -> Any:
        """Have the model say this, and take it into the history."""
        self.strict.will_say(step(*parts, signature_length=signature_length))
        message = self._ask()
        self.messages.append({"role": "assistant", "content": self.keep(message)})
        return message

    def call_tools(self, *calls: Any, signature_length: int = 120) -> None:
        """One step: thoughts and calls, then the results, the last one first."""
        message = self.say(thought("I need **data**."), *calls, signature_length=signature_length)
        assert message.stop_reason == "tool_use"
        thinks = ["thinking"] if self.thinking != "disabled" else []
        assert [block.type for block in message.content] == [*thinks, *["tool_use"] * len(calls)]
        assert not thinks or (message.content[0].thinking == "I need **data**." and message.content[0].signature)
        wanted = [(one["functionCall"]["name"], one["functionCall"]["args"]) for one in calls]
        used = [block for block in message.content if block.type == "tool_use"]
        assert [(block.name, block.input) for block in used] == wanted
        assert len({block.id for block in used}) == len(calls)
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": json.dumps({"celsius": index, "$ref": "#/a"})}
            for index, block in enumerate(used)
        ]
        self.messages.append({"role": "user", "content": results[::-1]})

    def answer(self) -> None:
        message = self.say(thought("Compare."), text("Rome is warmer, naïvely said. 🌞"))
        assert message.stop_reason == "end_turn" and message.content[-1].text == "Rome is warmer, naïvely said. 🌞"

    def ask_more(self) -> None:
        self.messages.append({"role": "user", "content": "And in winter?"})

    def all_steps(self) -> None:
        self.call_tools(*FIRST)
        self.call_tools(*SECOND, signature_length=LARGE)
        self.call_tools(*THIRD)
        self.answer()

    def _ask(self) -> Any:
        client = anthropic.Anthropic(base_url=self.url, api_key=self.key, max_retries=0, http_client=self.web)
        thinking: Any = {"type": self.thinking}
        body: Any = {"model": self.model, "max_tokens": 30_000, "messages": self.messages, "tools": TOOLS}
        if self.way == "whole":
            return client.messages.create(**body, thinking=thinking)
        with client.messages.stream(**body, thinking=thinking) as stream:
            return stream.get_final_message()


def check_intact(strict: StrictGemini, *, answers: int) -> None:
    assert (strict.refusals, strict.lost, strict.dummies) == ([], [], 0)
    assert len(strict.said) == answers


@pytest.fixture
def strict(bed: Bed) -> StrictGemini:
    return StrictGemini(bed.up)


@pytest.fixture(scope="module")
def web() -> Iterator[anthropic.DefaultHttpxClient]:
    """One pool of connections: to make one for each request costs more than the request."""
    with anthropic.DefaultHttpxClient(timeout=20) as made:
        yield made


@each_keep
@each_way
def test_signatures_stay_intact(
    web: anthropic.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way, keep: Keep
) -> None:
    """Within a turn and in the next one."""
    talk = Talk(web, bed.url, strict, way, keep)
    talk.all_steps()
    talk.ask_more()
    talk.all_steps()
    check_intact(strict, answers=8)


@each_way
def test_without_thinking_the_server_remembers(
    web: anthropic.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way
) -> None:
    talk = Talk(web, bed.url, strict, way, kept, thinking="disabled")
    talk.all_steps()
    check_intact(strict, answers=4)


@pytest.mark.parametrize("keep", [own_objects, kept])
@each_way
def test_who_keeps_thinking_needs_no_memory(
    web: anthropic.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way, keep: Keep
) -> None:
    """As somebody else at each step: nothing that the gateway remembers is theirs."""
    talk = Talk(web, bed.url, strict, way, keep)
    for number, calls in enumerate((FIRST, SECOND, THIRD)):
        talk.key = (CALLER, OTHER)[number % 2]
        talk.call_tools(*calls)
    talk.key = OTHER
    talk.answer()
    check_intact(strict, answers=4)


@each_way
def test_who_strips_thinking_shares_no_memory(
    web: anthropic.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way
) -> None:
    mine = Talk(web, bed.url, strict, way, stripped)
    mine.call_tools(*FIRST)
    theirs = Talk(web, bed.url, strict, way, stripped, key=OTHER, messages=list(mine.messages))
    theirs.answer()
    assert strict.dummies == 1 and strict.refusals == []
    assert not any(signature.encode() in bed.up.last.body for signature in strict.signatures)


@pytest.mark.parametrize("keep", [own_objects, stripped])
@each_way
def test_the_model_may_change(
    web: anthropic.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way, keep: Keep
) -> None:
    """A model that takes only its own signatures is sent no others: seals and memory say whose they are."""
    strict.each_for_itself = True
    talk = Talk(web, bed.url, strict, way, keep)
    talk.call_tools(*FIRST)
    talk.call_tools(*SECOND)
    talk.model = "gemini-3.1-pro-preview"
    talk.call_tools(*THIRD)
    assert strict.refusals == [] and strict.dummies == 2
    talk.answer()
    assert strict.refusals == [] and len(strict.said) == 4


WAYS: tuple[Way, ...] = ("whole", "stream")


def test_across_restarts(web: anthropic.DefaultHttpxClient, tmp_path: Path) -> None:
    """Three processes on one folder of data, for each way and each client a history of its own."""
    with FakeUpstream.in_thread({"A"}) as up:
        strict = StrictGemini(up)
        talks = [Talk(web, "", strict, way, keep) for way in WAYS for keep in (own_objects, kept, stripped)]
        for calls in (FIRST, SECOND, THIRD):
            _go_on(talks, calls, tmp_path, up)
        check_intact(strict, answers=6 * 4)


def test_across_restarts_that_forget(web: anthropic.DefaultHttpxClient, tmp_path: Path) -> None:
    """Each on an empty folder: who keeps the thinking goes on as if nothing had been."""
    with FakeUpstream.in_thread({"A"}) as up:
        strict = StrictGemini(up)
        talks = [Talk(web, "", strict, way, keep) for way in WAYS for keep in (own_objects, kept)]
        for number, calls in enumerate((SECOND, THIRD)):
            _go_on(talks, calls, tmp_path / str(number), up)
        check_intact(strict, answers=4 * 3)


def _go_on(talks: list[Talk], calls: list[Json], folder: Path, up: FakeUpstream) -> None:
    """One step of each, in a process of its own."""
    folder.mkdir(exist_ok=True)
    settings = {"GEMINI_API_KEYS": "A", "API_KEYS": CALLER, "GEMGATE_DATA_DIR": str(folder)}
    with running_gateway(settings, upstream=up.base_url) as gateway:
        for talk in talks:
            talk.url = gateway.base_url
            talk.call_tools(*calls)
            if calls is THIRD:
                talk.answer()
