"""Lists of models in Anthropic's form."""

import json

import pytest

from gemgate.errors import InvalidRequest
from gemgate.hub.models import ModelInfo
from gemgate.protocols.anthropic.models import write_models

MODELS = [ModelInfo(name=name) for name in "abcde"]


@pytest.mark.parametrize(
    ("query", "names", "more"),
    [
        ({}, "abcde", False),
        ({"limit": "2"}, "ab", True),
        ({"limit": "0002"}, "ab", True),
        ({"limit": "2", "after_id": "c"}, "de", False),
        ({"limit": "2", "before_id": "d"}, "bc", False),
        ({"after_id": "nobody"}, "abcde", False),
    ],
)
def test_pages(query: dict[str, str], names: str, more: bool) -> None:
    page = json.loads(write_models(MODELS, query))
    assert "".join(item["id"] for item in page["data"]) == names
    assert (page["has_more"], page["first_id"], page["last_id"]) == (more, names[0], names[-1])


@pytest.mark.parametrize("limit", ["", "0", "-1", "x", "1.5", "1001", "\u00b2", "\u0663", "9" * 5000])
def test_limits_that_are_none(limit: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        write_models(MODELS, {"limit": limit})
    assert caught.value.param == "limit"
