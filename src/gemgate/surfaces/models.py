"""Which models there are, in the dialect that the client speaks."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, assert_never
from urllib.parse import parse_qsl

from msgspec.structs import replace

from gemgate.catalog.catalog import Catalog
from gemgate.errors import GemgateError, ModelNotFound
from gemgate.hub.models import ModelInfo
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import Exchange
from gemgate.protocols.anthropic import models as anthropic
from gemgate.protocols.gemini import models as gemini
from gemgate.protocols.openai_chat import models as openai
from gemgate.upstreams.refusal import UpstreamRefusal

Dialect = Literal["openai", "anthropic", "gemini"]
Source = Callable[[], Awaitable[list[ModelInfo]]]

REMEMBERED_SECONDS = 600.0
AFTER_FAILURE_SECONDS = 30.0

GENERATES = "generateContent"
"""The method of models that answer messages."""


class ModelsSurface:
    """Lists models: the upstream's own list, remembered for a while, or the catalogue's when it cannot be had."""

    def __init__(self, source: Source, catalog: Catalog, clock: Clock, *, answers_any_name: bool = False) -> None:
        """`answers_any_name`: the upstream is one model, which answers whatever name it is called by."""
        self._source = source
        self._catalog = catalog
        self._clock = clock
        self._answers_any_name = answers_any_name
        self._models: list[ModelInfo] = []
        self._until = 0.0

    async def list_all(self, exchange: Exchange, dialect: Dialect) -> None:
        """Answer with all of them."""
        models = await self._known()
        match dialect:
            case "openai":
                body = openai.write_models(models)
            case "anthropic":
                body = anthropic.write_models(self._talking(models), dict(parse_qsl(exchange.query.decode("latin-1"))))
            case "gemini":
                body = gemini.write_models(models)
            case _:
                assert_never(dialect)
        await exchange.answer(200, body)

    async def get(self, exchange: Exchange, dialect: Dialect, name: str) -> None:
        """Answer with one; raises `ModelNotFound`."""
        models = await self._known()
        match dialect:
            case "openai":
                body = openai.write_model(self._find(models, name))
            case "anthropic":
                body = anthropic.write_model(self._one_talking(models, name))
            case "gemini":
                body = gemini.write_model(self._find(models, name))
            case _:
                assert_never(dialect)
        await exchange.answer(200, body)

    def _find(self, models: Sequence[ModelInfo], name: str) -> ModelInfo:
        target = self._catalog.route(name, self._clock.today())
        for candidate in (target.asked, target.model):
            for model in models:
                if model.name == candidate:
                    return model
        raise _not_found(name)

    def _talking(self, models: Sequence[ModelInfo]) -> list[ModelInfo]:
        """List those that a conversation can be had with: by their own names, then by their second ones."""
        plain = {model.name: self._described(model) for model in models if self._talks(model)}
        second = {self._catalog.disguised(name): name for name in plain}
        return [
            *plain.values(),
            *(
                replace(plain[name], name=other)
                for other, name in second.items()
                if other not in plain and self._leads(other, name)
            ),
        ]

    def _one_talking(self, models: Sequence[ModelInfo], name: str) -> ModelInfo:
        """Find the model that a name leads to and give it under that name; raises `ModelNotFound`.

        Where the upstream's list lacks it, the catalogue's word is good enough.
        """
        if self._answers_any_name:
            return replace(self._described(models[0]), name=name)
        target = self._catalog.route(name, self._clock.today())
        known = {model.name: model for model in self._talking([*self._cataloged(), *models])}
        found = known.get(target.asked) or known.get(target.model)
        if found is None:
            raise _not_found(name)
        return replace(found, name=name)

    def _talks(self, model: ModelInfo) -> bool:
        # An upstream that names no methods leaves it to the catalogue.
        return (not model.methods or GENERATES in model.methods) and self._catalog.chats(model.name)

    def _leads(self, name: str, to: str) -> bool:
        """Tell whether two names mean one model."""
        today = self._clock.today()
        return self._answers_any_name or self._catalog.route(name, today).model == self._catalog.route(to, today).model

    def _described(self, model: ModelInfo) -> ModelInfo:
        """Add what the catalogue knows."""
        model = replace(model, display_name=model.display_name or _readable(model.name))
        row = self._catalog.model(model.name)
        if row is None:
            return model
        abilities = self._catalog.abilities(model.name)
        return replace(model, input=row.input, abilities=abilities, retires_on=row.retires_on)

    async def _known(self) -> list[ModelInfo]:
        now = self._clock.seconds()
        if now >= self._until:
            try:
                self._models = await self._source()
                self._until = now + REMEMBERED_SECONDS
            except (UpstreamRefusal, GemgateError):
                self._models = self._models or self._cataloged()
                self._until = now + AFTER_FAILURE_SECONDS
        return self._models

    def _cataloged(self) -> list[ModelInfo]:
        return [
            ModelInfo(
                name=model.name,
                input_tokens=model.max_input_tokens or 0,
                output_tokens=model.max_output_tokens or 0,
                methods=tuple(model.methods),
                owner="google",
            )
            for model in self._catalog.chat_models(self._clock.today())
        ]


def _not_found(name: str) -> ModelNotFound:
    return ModelNotFound(f"There is no model {name[:200]!r}. GET /v1/models lists those there are.")


def _readable(name: str) -> str:
    """Write a name as people do: words with capitals."""
    return " ".join(word[:1].upper() + word[1:] for word in name.split("-"))
