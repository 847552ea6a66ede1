"""Pages of items."""

from typing import Any

import pytest
from msgspec import json
from openai.types.responses.response_item_list import ResponseItemList

from gemgate.errors import InvalidRequest
from gemgate.store.protocols import StoredItem
from gemgate.surfaces.responses.items import message
from gemgate.surfaces.responses.listing import page, paged

ITEMS = [StoredItem(f"msg_{index}", json.encode({"id": f"msg_{index}"})) for index in range(47)]


def listed(query: str, items: list[StoredItem] = ITEMS) -> Any:
    return json.decode(paged(items, page(query.encode())))


@pytest.mark.parametrize("limit", [1, 5, 20, 46, 47, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_all_pages_together_are_all_items(limit: int, order: str) -> None:
    seen: list[str] = []
    after, more = "", True
    while more:
        found = listed(f"limit={limit}&order={order}&after={after}")
        ids = [item["id"] for item in found["data"]]
        assert len(ids) == min(limit, 47 - len(seen))
        assert (found["first_id"], found["last_id"]) == (ids[0], ids[-1])
        seen += ids
        after, more = ids[-1], found["has_more"]
    wanted = [item.id for item in ITEMS]
    assert seen == (wanted if order == "asc" else wanted[::-1])


def test_it_is_the_newest_twenty_unless_told() -> None:
    assert [item["id"] for item in listed("")["data"]] == [f"msg_{index}" for index in range(46, 26, -1)]
    assert list(listed("")) == ["object", "data", "first_id", "has_more", "last_id"]


def test_the_sdk_knows_the_list() -> None:
    ResponseItemList.model_validate_json(paged([], page(b"")), strict=True)
    found = ResponseItemList.model_validate_json(paged([message("hi", lambda: "1")], page(b"")), strict=True)
    assert found.data[0].id == "msg_1"


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ("limit=0", "limit", "integer_below_min_value"),
        ("limit=-3", "limit", "integer_below_min_value"),
        ("limit=101", "limit", "integer_above_max_value"),
        ("limit=many", "limit", "invalid_type"),
        ("limit=99999999999999999999", "limit", "invalid_type"),
        ("order=up", "order", "invalid_value"),
        ("after=msg_gone", "after", "invalid_value"),
    ],
)
def test_nonsense_is_refused(query: str, param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        listed(query)
    assert (refused.value.param, refused.value.code) == (param, code)
