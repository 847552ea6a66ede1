"""A long conversation through OpenAI's SDK before a Gemini that insists on its signatures."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import openai
import pytest

from tests.bed.gateway import running_gateway
from tests.bed.strict_gemini import LARGE, StrictGemini, call, image, step, text, thought
from tests.bed.upstream import FakeUpstream
from tests.e2e.bed import CALLER, OTHER, Bed

CHAT_MODEL, IMAGE_MODEL = "gemini-3.5-flash", "gemini-3-pro-image"
MODELS = [(CHAT_MODEL, IMAGE_MODEL), (IMAGE_MODEL, IMAGE_MODEL)]
ASKED: Any = {"role": "user", "content": "Where is it warmer, in Rome or in Oslo? 🌡"}
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"q": {}}}}}
    for name in ("find", "measure")
]
Way = Literal["whole", "sdk", "hand"]
each_way = pytest.mark.parametrize("way", ["whole", "sdk", "hand"])
each_form = pytest.mark.parametrize("way", ["whole", "sdk"])


def kept(message: Any) -> Any:
    return message


def stripped(message: Any) -> Any:
    """What most clients keep: the members that OpenAI documents."""
    given: Any = message if isinstance(message, dict) else message.model_dump(exclude_none=True)
    made = {"role": "assistant", "content": given.get("content")}
    calls = given.get("tool_calls") or []
    names = ("id", "type", "function")
    bare = [{name: one[name] for name in names} for one in calls]
    for one in bare:
        one["function"] = {name: one["function"][name] for name in ("name", "arguments")}
    return made | ({"tool_calls": bare} if bare else {})


def accumulated(chunks: Iterator[Any]) -> dict[str, Any]:
    """Put deltas together as clients do that know no more than the format."""
    made: dict[str, Any] = {"role": "assistant", "content": ""}
    calls: dict[int, Any] = {}
    for chunk in chunks:
        for name, value in chunk.choices[0].delta.model_dump(exclude_unset=True).items():
            if name == "tool_calls":
                for piece in value:
                    one = calls.setdefault(piece.pop("index"), {"function": {"name": "", "arguments": ""}})
                    function = piece.pop("function", {})
                    one["function"]["name"] += function.get("name") or ""
                    one["function"]["arguments"] += function.get("arguments") or ""
                    one.update(piece)
            elif name in ("content", "reasoning_content"):
                made[name] = made.get(name, "") + (value or "")
            elif value is not None:
                made[name] = value
    return made | ({"tool_calls": [calls[index] for index in sorted(calls)]} if calls else {})


@dataclass
class Talk:
    """A client and its history; `keep` is what it makes of a message before it sends it back."""

    web: openai.DefaultHttpxClient
    url: str
    strict: StrictGemini
    way: Way
    keep: Callable[[Any], Any] = kept
    model: str = CHAT_MODEL
    key: str = CALLER
    messages: list[Any] = field(default_factory=lambda: [ASKED])

    def say(self, *parts: Any, signature_length: int = 120, **more: Any) -> Any:
        """Have the model say this, and take it into the history."""
        self.strict.will_say(step(*parts, signature_length=signature_length))
        message = self._ask(**more)
        self.messages.append(self.keep(message))
        return message

    def call_tools(self, *calls: Any, signature_length: int = 120) -> None:
        """One step: thoughts and calls, then the results, the last one first."""
        message = self.say(thought("I need **data**."), *calls, signature_length=signature_length, tools=TOOLS)
        made: Any = message if isinstance(message, dict) else message.model_dump()
        assert made["reasoning_content"] == "I need **data**." and not made.get("content")
        wanted = [(one["functionCall"]["name"], one["functionCall"]["args"]) for one in calls]
        assert [(o["function"]["name"], json.loads(o["function"]["arguments"])) for o in made["tool_calls"]] == wanted
        sent = self.messages[-1]
        ids = [one["id"] if isinstance(one, dict) else one.id for one in _member(sent, "tool_calls")]
        assert len(set(ids)) == len(calls)
        for index in reversed(range(len(calls))):
            content = json.dumps({"celsius": index, "schema": {"$ref": "#/a"}})
            self.messages.append({"role": "tool", "tool_call_id": ids[index], "content": content})

    def draw(self, wish: str, data: str, signature_length: int = 120) -> None:
        self.messages.append({"role": "user", "content": wish})
        message = self.say(thought("Colours."), text("Here it is: "), image(data), signature_length=signature_length)
        assert _member(message, "content").split("\n") == [
            "Here it is: ",
            f"![image](data:image/png;base64,{data})",
            "",
        ]

    def _ask(self, **more: Any) -> Any:
        if self.keep is kept:
            # As somebody else each time: who keeps everything needs nothing that the gateway remembers.
            self.key = OTHER if self.key == CALLER else CALLER
        client = openai.OpenAI(base_url=self.url + "/v1", api_key=self.key, max_retries=0, http_client=self.web)
        chat = client.chat.completions
        body: Any = {"model": self.model, "messages": self.messages, "extra_body": _THOUGHTS} | more
        match self.way:
            case "whole":
                return chat.create(**body).choices[0].message
            case "sdk":
                with chat.stream(**body) as stream:
                    return stream.get_final_completion().choices[0].message
            case "hand":
                return accumulated(chat.create(**body, stream=True))


_THOUGHTS = {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}
FIRST, SECOND, THIRD = (
    [call("find", q="Rome")],
    [call("measure", q="Rome"), call("measure", q="Oslo"), call("find", q="Ö")],
    [call("measure", q="sea")],
)
PICTURES = [f"iVBORw0KGgo{letter}" * 40 for letter in "AB"]


def _member(message: Any, name: str) -> Any:
    return message.get(name) if isinstance(message, dict) else getattr(message, name, None)


def tools_and_text(talk: Talk) -> None:
    talk.call_tools(*FIRST)
    talk.call_tools(*SECOND, signature_length=LARGE)
    talk.call_tools(*THIRD)
    answer(talk)


def answer(talk: Talk) -> None:
    message = talk.say(thought("Compare."), text("Rome is warmer, naïvely said. 🌞"), tools=TOOLS)
    assert _member(message, "content") == "Rome is warmer, naïvely said. 🌞"
    assert _member(message, "reasoning_content") == "Compare."


def go_on_drawing(talk: Talk, model: str) -> None:
    """Draw and edit with the model of the conversation, or from a clean page with another."""
    if model != talk.model:
        talk.model, talk.messages = model, []
    talk.draw("Draw Rome.", PICTURES[0], LARGE)


def edit(talk: Talk) -> None:
    talk.draw("Now at night.", PICTURES[1])
    talk.messages.append({"role": "user", "content": "Thank you."})
    talk.say(text("You are welcome."))


def check_intact(strict: StrictGemini) -> None:
    assert (strict.refusals, strict.lost, strict.dummies) == ([], [], 0)


@pytest.fixture
def strict(bed: Bed) -> StrictGemini:
    return StrictGemini(bed.up)


@pytest.fixture(scope="module")
def web() -> Iterator[openai.DefaultHttpxClient]:
    """One pool of connections: to make one for each request costs more than the request."""
    with openai.DefaultHttpxClient(timeout=20) as made:
        yield made


@pytest.mark.parametrize("models", MODELS, ids="-".join)
@pytest.mark.parametrize("keep", [kept, stripped])
@each_way
def test_signatures_stay_intact(
    web: openai.DefaultHttpxClient,
    bed: Bed,
    strict: StrictGemini,
    way: Way,
    keep: Callable[[Any], Any],
    models: tuple[str, str],
) -> None:
    talk = Talk(web, bed.url, strict, way, keep, models[0])
    tools_and_text(talk)
    go_on_drawing(talk, models[1])
    edit(talk)
    check_intact(strict)
    assert len(strict.said) == 7


@each_form
def test_across_restarts(web: openai.DefaultHttpxClient, tmp_path: Path, way: Way) -> None:
    """Three processes, one after the other, on one folder of data."""
    with FakeUpstream.in_thread({"A"}) as up:
        strict = StrictGemini(up)
        talk = Talk(web, "", strict, way, stripped, IMAGE_MODEL)
        settings = {"GEMINI_API_KEYS": "A", "API_KEYS": CALLER, "GEMGATE_DATA_DIR": str(tmp_path)}
        with running_gateway(settings, upstream=up.base_url) as gateway:
            talk.url = gateway.base_url
            talk.call_tools(*FIRST)
            talk.call_tools(*SECOND, signature_length=LARGE)
        with running_gateway(settings, upstream=up.base_url) as gateway:
            talk.url = gateway.base_url
            talk.call_tools(*THIRD)
            answer(talk)
            go_on_drawing(talk, IMAGE_MODEL)
        with running_gateway(settings, upstream=up.base_url) as gateway:
            talk.url = gateway.base_url
            edit(talk)
        check_intact(strict)


MANGLED: dict[str, Callable[[str], str]] = {
    "cut": lambda call_id: call_id[:40],
    "cut-short": lambda call_id: call_id[-4:],
    "lower": str.lower,
    "alphabet": lambda call_id: "вызов-" + call_id.encode().hex(),
    "long": lambda call_id: f"{call_id}-{'x' * 900}",
}


@pytest.mark.parametrize("how", MANGLED)
@each_form
def test_mangled_ids_never_end_a_conversation(
    web: openai.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way, how: str
) -> None:
    def mangled(message: Any) -> Any:
        made = stripped(message)
        for one in made.get("tool_calls") or []:
            one["id"] = MANGLED[how](one["id"])
        return made

    tools_and_text(talk := Talk(web, bed.url, strict, way, mangled))
    assert strict.refusals == [] and len(strict.said) == 4
    # Cutting at 40 characters changes no id; of the others nothing is found: a dummy for each step of the turn.
    assert strict.dummies == (0 if how == "cut" else 1 + 2 + 3)
    talk.messages.append({"role": "user", "content": "And in Oslo?"})
    before = strict.dummies
    talk.say(text("Colder."))
    assert strict.dummies == before, "the current turn alone needs them"


@each_form
def test_foreign_signatures_cost_one_retry(
    web: openai.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way
) -> None:
    def foreign(message: Any) -> Any:
        made = stripped(message)
        for one in made.get("tool_calls") or []:
            one["extra_content"] = {"google": {"thought_signature": "Zm9yZWlnbg=="}}
        return made

    talk = Talk(web, bed.url, strict, way, foreign)
    talk.call_tools(*FIRST)
    assert strict.refusals == []
    talk.call_tools(*SECOND)
    assert strict.refusals == ["Corrupted thought signature."] and strict.dummies == 1
    answer(talk)
    assert len(strict.refusals) == 2 and strict.dummies == 3


@pytest.mark.parametrize("keep", [kept, stripped])
@each_form
def test_the_model_may_change(
    web: openai.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way, keep: Callable[[Any], Any]
) -> None:
    """A model that takes only its own signatures: one retry where the client sends the other's, else none."""
    strict.each_for_itself = True
    talk = Talk(web, bed.url, strict, way, keep)
    talk.call_tools(*FIRST)
    talk.call_tools(*SECOND)
    talk.model = "gemini-3.1-pro-preview"
    talk.call_tools(*THIRD)
    assert len(strict.refusals) == (1 if keep is kept else 0) and strict.dummies == 2
    answer(talk)
    assert len(strict.refusals) <= (2 if keep is kept else 0) and len(strict.said) == 4


@pytest.mark.parametrize("keep", [kept, stripped])
@each_form
def test_from_chat_to_images_and_back(
    web: openai.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way, keep: Callable[[Any], Any]
) -> None:
    """One history through two models that refuse each other's signatures: every request gets its answer."""
    strict.each_for_itself = True
    talk = Talk(web, bed.url, strict, way, keep)
    tools_and_text(talk)
    talk.model = IMAGE_MODEL
    talk.draw("Draw Rome.", PICTURES[0])
    edit(talk)
    talk.model = CHAT_MODEL
    talk.messages.append({"role": "user", "content": "What is in it?"})
    talk.say(text("Rome."))
    assert len(strict.said) == 8


@each_form
def test_ids_that_carry_foreign_signatures(
    web: openai.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way
) -> None:
    """As another gateway makes them: what the id carries is tried once."""

    def packed(message: Any) -> Any:
        made = stripped(message)
        for one in made.get("tool_calls") or []:
            one["id"] = f"call_{one['id']}__thought__{'QUJD' * 200}"
        return made

    tools_and_text(Talk(web, bed.url, strict, way, packed))
    assert len(strict.refusals) <= 3 and len(strict.said) == 4


@each_form
def test_callers_do_not_share_signatures(
    web: openai.DefaultHttpxClient, bed: Bed, strict: StrictGemini, way: Way
) -> None:
    mine = Talk(web, bed.url, strict, way, stripped)
    mine.call_tools(*FIRST)
    theirs = Talk(web, bed.url, strict, way, stripped, key=OTHER, messages=list(mine.messages))
    answer(theirs)
    assert strict.dummies == 1 and strict.refusals == []
    assert not any(signature.encode() in bed.up.last.body for signature in strict.signatures)
    answer(mine)
    assert strict.dummies == 1 and any(signature.encode() in bed.up.last.body for signature in strict.signatures)
    drawn = Talk(web, bed.url, strict, way, stripped, IMAGE_MODEL, messages=[])
    drawn.draw("Draw Rome.", PICTURES[0])
    copied = Talk(web, bed.url, strict, way, stripped, IMAGE_MODEL, OTHER, list(drawn.messages))
    copied.draw("Now at night.", PICTURES[1])
    assert strict.dummies == 3 and not any(signature.encode() in bed.up.last.body for signature in strict.signatures)
