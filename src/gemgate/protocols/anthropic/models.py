"""Lists of models as Anthropic writes them."""

import re
from collections.abc import Sequence

from msgspec import json

from gemgate.errors import InvalidRequest
from gemgate.hub.abilities import Abilities, Thinking
from gemgate.hub.models import ModelInfo

PAGE_SIZE = 20
MAX_PAGE_SIZE = 1000


def model_object(model: ModelInfo) -> dict[str, object]:
    """Give one model; when it was made is not known, and what else is not known is left out."""
    shown: dict[str, object] = {
        "type": "model",
        "id": model.name,
        "display_name": model.display_name or model.name,
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active" if model.retires_on is None else "deprecated",
    }
    if model.retires_on is not None:
        shown["retires_at"] = f"{model.retires_on.isoformat()}T00:00:00Z"
    if model.input_tokens:
        shown["max_input_tokens"] = model.input_tokens
    if model.output_tokens:
        shown["max_tokens"] = model.output_tokens
    if model.abilities is not None:
        shown["capabilities"] = _capabilities(model.abilities, model.input)
    return shown


def _capabilities(abilities: Abilities, modalities: Sequence[str]) -> dict[str, object]:
    # Video models have no tools of their own.
    has_tools = abilities.output == ("text",)
    return {
        "batch": _supported(False),
        "citations": _supported(False),
        "code_execution": _supported(False),
        "context_management": _supported(False),
        "effort": _effort(abilities.thinking),
        "image_input": _supported("image" in modalities),
        "pdf_input": _supported("pdf" in modalities),
        "server_tools": _supported(has_tools, web_search=_supported(has_tools), code_execution=_supported(has_tools)),
        "structured_outputs": _supported(True),
        "thinking": _thinking(abilities.thinking),
    }


def _effort(thinking: Thinking) -> dict[str, object]:
    """Say which efforts make a difference: each is taken, and fitted to the closest that the model has."""
    steered = thinking.control != "none"
    by_tokens = thinking.control == "budget"
    return _supported(
        steered,
        low=_supported(by_tokens or "low" in thinking.levels),
        medium=_supported(by_tokens or "medium" in thinking.levels),
        high=_supported(by_tokens or "high" in thinking.levels),
        xhigh=_supported(False),
        max=_supported(by_tokens),
    )


def _thinking(thinking: Thinking) -> dict[str, object]:
    steered = _supported(thinking.control != "none")
    # To switch it off is never an error: who cannot thinks as little as it can, unseen.
    accepted = _supported(True)
    types = {"adaptive": steered, "enabled": steered, "disabled": accepted, "between_tools": accepted}
    return _supported(thinking.control != "none", types=types)


def _supported(supported: bool, **details: object) -> dict[str, object]:
    return {"supported": supported, **details}


def write_model(model: ModelInfo) -> bytes:
    """Write one model."""
    return json.encode(model_object(model))


def write_models(models: Sequence[ModelInfo], query: dict[str, str]) -> bytes:
    """Write the page that `limit`, `after_id` and `before_id` choose; raises `InvalidRequest`."""
    limit = query.get("limit", str(PAGE_SIZE))
    if not re.fullmatch("[0-9]{1,4}", limit) or not 1 <= int(limit) <= MAX_PAGE_SIZE:
        raise InvalidRequest(f"limit must be a whole number from 1 to {MAX_PAGE_SIZE}.", param="limit")
    size = int(limit)
    names = [model.name for model in models]
    first, last = 0, len(names)
    if query.get("after_id") in names:
        first = names.index(query["after_id"]) + 1
    has_more = last - first > size
    if query.get("before_id") in names:
        last = names.index(query["before_id"])
        has_more = last - first > size
        first = max(first, last - size)
    page = models[first:last][:size]
    document: dict[str, object] = {
        "data": [model_object(model) for model in page],
        "has_more": has_more,
        "first_id": page[0].name if page else None,
        "last_id": page[-1].name if page else None,
    }
    return json.encode(document)
