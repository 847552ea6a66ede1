"""Lists of models: in Anthropic's dialect through its own SDK, and what the others keep."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import anthropic
import pytest
from anthropic.types import ModelInfo as SdkModel

from gemgate.catalog.catalog import Catalog
from gemgate.errors import ModelNotFound, Unavailable
from gemgate.hub.models import ModelInfo
from gemgate.pipeline.contracts import Clock
from gemgate.surfaces.models import ModelsSurface
from tests.e2e.bed import CALLER, Bed, running_bed
from tests.pipeline.client import Client

TALKING = (
    "gemini-3.1-pro-preview",
    "gemini-3.5-flash",
    "gemini-3.6-flash",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
)
BOTH = [*TALKING, *(f"claude-{name}" for name in TALKING)]


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with running_bed({"GEMGATE_ALIASES": "quick=gemini-3.6-flash-nothinking"}) as bed:
        yield bed


@pytest.fixture(scope="module")
def client(bed: Bed) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=bed.url, api_key=CALLER, max_retries=0) as made:
        yield made


@pytest.mark.parametrize("limit", [1, 5, 6, 7, 12, 1000])
def test_pages_go_over_both_names(client: anthropic.Anthropic, limit: int) -> None:
    page = client.models.list(limit=limit)
    assert [model.id for model in page.data] == BOTH[:limit]
    assert page.has_more == (limit < len(BOTH))
    assert [model.id for model in page] == BOTH


def test_pages_backwards(client: anthropic.Anthropic) -> None:
    seen: list[str] = []
    page = client.models.list(limit=5, before_id=BOTH[-1])
    while True:
        seen = [model.id for model in page.data] + seen
        if not page.has_next_page():
            break
        page = page.get_next_page()
    assert seen == BOTH[:-1]


def test_a_second_name_shows_the_first(client: anthropic.Anthropic) -> None:
    models = {model.id: model for model in client.models.list(limit=1000)}
    for name in TALKING:
        own, second = models[name], models[f"claude-{name}"]
        assert own.display_name == second.display_name and own.display_name.startswith("Gemini ")
        assert own.model_dump(exclude={"id"}) == second.model_dump(exclude={"id"})


def test_what_is_said_of_one_passes_the_sdks_own_check(client: anthropic.Anthropic) -> None:
    for model in client.models.list(limit=1000):
        SdkModel.model_validate(model.to_dict())
        assert model.max_input_tokens == 1048576 and model.max_tokens == 65536
        assert model.capabilities is not None and model.capabilities.image_input.supported


def test_a_model_with_a_last_day_says_so(client: anthropic.Anthropic) -> None:
    leaving, staying = client.models.retrieve("gemini-2.5-pro"), client.models.retrieve("gemini-3.6-flash")
    assert (leaving.lifecycle, staying.lifecycle, staying.retires_at) == ("deprecated", "active", None)
    assert leaving.retires_at is not None and leaving.retires_at.date() == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *((name, name.removeprefix("claude-").replace("-", " ").title()) for name in BOTH),
        ("claude-opus-4-8", "Gemini 3.1 Pro Preview"),
        ("claude-opus-4-8[1m]", "Gemini 3.1 Pro Preview"),
        ("anthropic/claude-opus-4-8", "Gemini 3.1 Pro Preview"),
        ("claude-sonnet-4-5@20250929", "Gemini 3.8 Flash"),
        ("claude-3-5-haiku-latest", "Gemini 3.5 Flash Lite"),
        ("claude-gemini-3.6-flash-thinking-high", "Gemini 3.6 Flash"),
        ("quick", "Gemini 3.6 Flash"),
    ],
)
def test_one_is_given_under_the_name_that_was_asked(client: anthropic.Anthropic, name: str, shown: str) -> None:
    model = client.models.retrieve(name)
    assert (model.id, model.display_name) == (name, shown)


@pytest.mark.parametrize(
    "name", ["gemini-embedding-001", "claude-veo-3.1-generate-preview", "gemini-2.5-flash-preview-tts", "nobody"]
)
def test_there_is_no_such_model_to_talk_with(client: anthropic.Anthropic, name: str) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.models.retrieve(name)
    assert name in caught.value.message


async def test_the_other_dialects_list_what_the_upstream_lists(bed: Bed) -> None:
    openai = (await bed.ask("GET", "/v1/models")).json["data"]
    native = (await bed.ask("GET", "/v1beta/models")).json["models"]
    assert [model["id"] for model in openai] == bed.up.routes.models
    assert [model["name"] for model in native] == [f"models/{name}" for name in bed.up.routes.models]
    assert set(openai[0]) == {"id", "object", "created", "owned_by"}


async def test_openais_clients_find_what_an_alias_leads_to(bed: Bed) -> None:
    found = await bed.ask("GET", "/v1/models/quick")
    assert (found.status, found.json["id"]) == (200, "gemini-3.6-flash")


# Without a gateway: lists that no real upstream gives every day.

CLOCK = Clock(lambda: 0.0, lambda: date(2026, 11, 21), lambda: "0" * 24)
GENERATES = ("generateContent",)


def surface(models: list[ModelInfo] | None, **how: Any) -> ModelsSurface:
    async def source() -> list[ModelInfo]:
        if models is None:
            raise Unavailable("away")
        return models

    return ModelsSurface(source, Catalog.load(), CLOCK, **how)


async def listed(models: list[ModelInfo] | None, **how: Any) -> dict[str, Any]:
    client = Client()
    exchange = client.exchange(method="GET")
    exchange.query = b"limit=1000"
    await surface(models, **how).list_all(exchange, "anthropic")
    data = json.loads(client.body)["data"]
    assert len({model["id"] for model in data}) == len(data)
    return {model["id"]: model for model in data}


async def one(name: str, models: list[ModelInfo] | None, **how: Any) -> dict[str, Any]:
    client = Client()
    await surface(models, **how).get(client.exchange(method="GET"), "anthropic", name)
    return json.loads(client.body)


async def test_the_catalogues_own_list() -> None:
    names = list(await listed(None))
    plain = names[: len(names) // 2]
    assert "gemini-4-argon" in plain and names == [*plain, *(f"claude-{name}" for name in plain)]
    assert (await one("claude-gemini-4-argon", None))["display_name"] == "Gemini 4 Argon"


async def test_an_unknown_model_is_listed_with_what_is_said_of_it() -> None:
    models = [
        ModelInfo(name="gemini-9-ultra", methods=GENERATES),
        ModelInfo(name="gemini-9-mute", methods=("predict",)),
    ]
    found = await listed(models)
    assert list(found) == ["gemini-9-ultra", "claude-gemini-9-ultra"]
    assert found["claude-gemini-9-ultra"]["display_name"] == "Gemini 9 Ultra"
    assert "capabilities" not in found["gemini-9-ultra"] and "max_tokens" not in found["gemini-9-ultra"]


async def test_no_second_name_that_leads_elsewhere() -> None:
    assert list(await listed([ModelInfo(name="my-own", methods=GENERATES)])) == ["my-own"]


async def test_an_upstream_that_names_no_methods() -> None:
    models = [ModelInfo(name="gemini-9-ultra"), ModelInfo(name="gemini-embedding-001")]
    assert list(await listed(models)) == ["gemini-9-ultra", "claude-gemini-9-ultra"]


async def test_a_name_twice_in_the_upstreams_list_is_there_once() -> None:
    assert len(await listed([ModelInfo(name="gemini-9-ultra"), ModelInfo(name="gemini-9-ultra")])) == 2


async def test_a_retired_model_that_is_still_listed_is_given_as_it_is_listed() -> None:
    models = [ModelInfo(name="gemini-2.0-flash", methods=GENERATES)]
    for name in (await listed(models)).keys() | {"gemini-2.0-flash"}:
        shown = await one(name, models)
        assert (shown["display_name"], shown["lifecycle"]) == ("Gemini 2.0 Flash", "deprecated")


async def test_one_model_that_answers_any_name() -> None:
    models = [ModelInfo(name="Tiny-0.6B", input_tokens=8192, methods=GENERATES, owner="us")]
    assert list(await listed(models, answers_any_name=True)) == ["Tiny-0.6B", "claude-Tiny-0.6B"]
    for name in ("Tiny-0.6B", "claude-Tiny-0.6B", "claude-opus-4-8", "nobody"):
        shown = await one(name, models, answers_any_name=True)
        assert (shown["id"], shown["display_name"], shown["max_input_tokens"]) == (name, "Tiny 0.6B", 8192)
    with pytest.raises(ModelNotFound):
        await one("nobody", models)
