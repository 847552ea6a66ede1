"""Lists of models as Gemini writes and reads them."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct, json

from gemgate.hub.models import ModelInfo


class Model(Struct, rename="camel", omit_defaults=True):
    """One model."""

    name: str = ""
    display_name: str = ""
    input_token_limit: int = 0
    output_token_limit: int = 0
    supported_generation_methods: list[str] = []


class _List(Struct, rename="camel"):
    models: list[Model] = []
    next_page_token: str = ""


def write_model(model: ModelInfo) -> bytes:
    """Write one model."""
    return json.encode(_wire(model))


def write_models(models: Sequence[ModelInfo]) -> bytes:
    """Write a list, on one page."""
    return json.encode({"models": [_wire(model) for model in models]})


def _wire(model: ModelInfo) -> Model:
    return Model(
        f"models/{model.name}",
        model.display_name or model.name,
        model.input_tokens,
        model.output_tokens,
        list(model.methods),
    )


def read_models(body: bytes) -> tuple[list[ModelInfo], str]:
    """Read a page: its models and the token of the next; raises `ValueError`."""
    try:
        page = json.decode(body, type=_List, strict=False)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a list of models: {error}") from error
    models = [
        ModelInfo(
            name=model.name.removeprefix("models/"),
            display_name=model.display_name,
            input_tokens=model.input_token_limit,
            output_tokens=model.output_token_limit,
            methods=tuple(model.supported_generation_methods),
            owner="google",
        )
        for model in page.models
    ]
    return models, page.next_page_token
