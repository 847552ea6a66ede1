"""Lists of models as Anthropic writes them."""

import re
from collections.abc import Sequence

from msgspec import json

from gemgate.errors import InvalidRequest
from gemgate.hub.models import ModelInfo

PAGE_SIZE = 20
MAX_PAGE_SIZE = 1000


def model_object(model: ModelInfo) -> dict[str, object]:
    """Give one model; when it was made is not known."""
    shown = model.display_name or model.name
    return {"type": "model", "id": model.name, "display_name": shown, "created_at": "1970-01-01T00:00:00Z"}


def write_model(model: ModelInfo) -> bytes:
    """Write one model."""
    return json.encode(model_object(model))


def write_models(models: Sequence[ModelInfo], query: dict[str, str]) -> bytes:
    """Write the page that `limit`, `after_id` and `before_id` choose; raises `InvalidRequest`."""
    limit = query.get("limit", str(PAGE_SIZE))
    if not re.fullmatch("[0-9]{1,4}", limit) or not 1 <= int(limit) <= MAX_PAGE_SIZE:
        raise InvalidRequest(f"limit must be a whole number from 1 to {MAX_PAGE_SIZE}.", param="limit")
    names = [model.name for model in models]
    first, last = 0, len(names)
    if query.get("after_id") in names:
        first = names.index(query["after_id"]) + 1
    if query.get("before_id") in names:
        last = names.index(query["before_id"])
        first = max(first, last - int(limit))
    page = list(models[first:last])[: int(limit)]
    document: dict[str, object] = {
        "data": [model_object(model) for model in page],
        "has_more": len(page) < last - first,
        "first_id": page[0].name if page else None,
        "last_id": page[-1].name if page else None,
    }
    return json.encode(document)
