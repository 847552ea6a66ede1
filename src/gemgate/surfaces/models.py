"""Which models there are, in the dialect that the client speaks."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, assert_never
from urllib.parse import parse_qsl

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


class ModelsSurface:
    """Lists models: the upstream's own list, remembered for a while, or the catalogue's when it cannot be had."""

    def __init__(self, source: Source, catalog: Catalog, clock: Clock) -> None:
        self._source = source
        self._catalog = catalog
        self._clock = clock
        self._models: list[ModelInfo] = []
        self._until = 0.0

    async def list_all(self, exchange: Exchange, dialect: Dialect) -> None:
        """Answer with all of them."""
        models = await self._known()
        match dialect:
            case "openai":
                body = openai.write_models(models)
            case "anthropic":
                body = anthropic.write_models(models, dict(parse_qsl(exchange.query.decode("latin-1"))))
            case "gemini":
                body = gemini.write_models(models)
            case _:
                assert_never(dialect)
        await exchange.answer(200, body)

    async def get(self, exchange: Exchange, dialect: Dialect, name: str) -> None:
        """Answer with one; raises `ModelNotFound`."""
        model = self._find(await self._known(), name)
        match dialect:
            case "openai":
                body = openai.write_model(model)
            case "anthropic":
                body = anthropic.write_model(model)
            case "gemini":
                body = gemini.write_model(model)
            case _:
                assert_never(dialect)
        await exchange.answer(200, body)

    def _find(self, models: Sequence[ModelInfo], name: str) -> ModelInfo:
        target = self._catalog.route(name, self._clock.today())
        for candidate in (target.asked, target.model):
            for model in models:
                if model.name == candidate:
                    return model
        raise ModelNotFound(f"There is no model {name[:200]!r}. GET /v1/models lists those there are.")

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
