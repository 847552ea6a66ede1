"""Searches and pages read, which are told at the end, since only then they are known."""

from collections.abc import Callable

from gemgate.hub.events import Page
from gemgate.protocols.openai_responses.output import OpenItem, Output
from gemgate.protocols.shared.cited import Cited


def write_searches(output: Output, cited: Cited, new_id: Callable[[], str]) -> None:
    """Write what was searched for, with all that was found, and each page that was read."""
    if cited.queries:
        first, *_ = queries = list(cited.queries)
        sources = [{"type": "url", "url": url} for url in cited.found]
        action: dict[str, object] = {"type": "search", "query": first, "queries": queries, "sources": sources}
        _write(output, f"ws_{new_id()}", {"type": "search"}, action, "completed")
    for page in cited.pages.values():
        _write(output, f"ws_{new_id()}", {"type": "open_page"}, _opened(page), "completed" if page.read else "failed")


def _opened(page: Page) -> dict[str, object]:
    return {"type": "open_page", "url": page.url}


def _write(output: Output, item_id: str, begun: dict[str, object], action: dict[str, object], status: str) -> None:
    known: dict[str, object] = {"id": item_id, "type": "web_search_call"}
    item = OpenItem(output, known, {"status": "in_progress", "action": begun})
    for step in (b"in_progress", b"searching", b"completed"):
        item.tell(b"response.web_search_call." + step)
    item.close({"status": status, "action": action})
