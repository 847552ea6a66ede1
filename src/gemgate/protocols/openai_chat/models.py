"""Lists of models as OpenAI writes them."""

from collections.abc import Sequence

from msgspec import json

from gemgate.hub.models import ModelInfo


def model_object(model: ModelInfo) -> dict[str, object]:
    """Give one model; when it was made is not known."""
    return {"id": model.name, "object": "model", "created": 0, "owned_by": model.owner}


def write_model(model: ModelInfo) -> bytes:
    """Write one model."""
    return json.encode(model_object(model))


def write_models(models: Sequence[ModelInfo]) -> bytes:
    """Write a list."""
    return json.encode({"object": "list", "data": [model_object(model) for model in models]})
