"""Pages of items: what a request asks for, and the list that it is given."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from msgspec import Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.store.protocols import StoredItem

PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
NUMBER = re.compile(r"-?[0-9]{1,9}")


class Page(Struct, frozen=True):
    """Which items are asked for: so many, from the newest or the oldest on, or those after one of them."""

    limit: int = PAGE_SIZE
    newest_first: bool = True
    after: str = ""


def parameters(query: bytes) -> dict[str, str]:
    """Read a query; of a parameter that is there twice the last counts."""
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))


def whole_number(asked: Mapping[str, str], name: str, otherwise: int) -> int:
    """Read a parameter that is a whole number; raises `InvalidRequest`."""
    text = asked.get(name, "")
    if not text:
        return otherwise
    if not NUMBER.fullmatch(text):
        raise InvalidRequest(
            f"Invalid '{name}': expected an integer, but got {text[:80]!r} instead.", param=name, code="invalid_type"
        )
    return int(text)


def page(query: bytes) -> Page:
    """Read which items are asked for; raises `InvalidRequest`."""
    asked = parameters(query)
    limit = whole_number(asked, "limit", PAGE_SIZE)
    if limit < 1:
        raise InvalidRequest(
            f"Invalid 'limit': integer below minimum value. Expected a value >= 1, but got {limit} instead.",
            param="limit",
            code="integer_below_min_value",
        )
    if limit > MAX_PAGE_SIZE:
        raise InvalidRequest(
            "Invalid 'limit': integer above maximum value. "
            f"Expected a value <= {MAX_PAGE_SIZE}, but got {limit} instead.",
            param="limit",
            code="integer_above_max_value",
        )
    order = asked.get("order") or "desc"
    if order not in ("asc", "desc"):
        raise InvalidRequest(f"Invalid value: {order[:80]!r}. Supported values are: 'asc' and 'desc'.", param="order")
    return Page(limit, order == "desc", asked.get("after", ""))


def paged(items: Sequence[StoredItem], asked: Page) -> bytes:
    """Write a page of items, which are given oldest first; raises `InvalidRequest` where there is no `after`."""
    ordered = items[::-1] if asked.newest_first else items
    start = 0
    if asked.after:
        start = next((index for index, item in enumerate(ordered, start=1) if item.id == asked.after), 0)
        if not start:
            raise InvalidRequest(f"Item with id '{asked.after[:80]}' not found.", param="after")
    end = start + asked.limit
    return listed(ordered[start:end], has_more=end < len(ordered))


def listed(items: Sequence[StoredItem], *, has_more: bool = False) -> bytes:
    """Write a list of items in this order."""
    return json.encode(
        {
            "object": "list",
            "data": [Raw(item.json) for item in items],
            "first_id": items[0].id if items else "",
            "has_more": has_more,
            "last_id": items[-1].id if items else "",
        }
    )
