"""Blocks of tools that the upstream has run itself: a use, and beside it what came of it."""

from collections.abc import Mapping

from gemgate.hub.events import Page
from gemgate.protocols.anthropic.steps import Block
from gemgate.protocols.shared.seals import HEAD

OWN_RESULT = f"{HEAD}result"
"""The `encrypted_content` of our own results: a history that brings it back brings nothing new."""
USE = "srvtoolu_"
"""How the id of a use begins; the upstream's own follows, if there is one."""
MADE = "made_"
"""What follows instead before an id that was made here, so that it is not sent upstream."""
DIRECT = {"type": "direct"}

TIMED_OUT = 124
"""What code returns that was stopped after it had printed something, as the `timeout` command has it."""
RETURNED = {"ok": (0, ""), "": (0, ""), "deadline_exceeded": (TIMED_OUT, "The time limit was exceeded.")}
"""What code returns, and what stands beside its output; anything else has failed."""


def server_use(use_id: str, name: str) -> Block:
    """Begin a use; its input follows."""
    return {"type": "server_tool_use", "id": use_id, "name": name, "input": {}}


def search_result(use_id: str, sources: Mapping[str, str]) -> Block:
    """Give what a search has found: titles by URL."""
    found = [
        {
            "type": "web_search_result",
            "url": url,
            "title": title,
            "encrypted_content": OWN_RESULT,
            "page_age": None,
        }
        for url, title in sources.items()
    ]
    return {"type": "web_search_tool_result", "tool_use_id": use_id, "content": found, "caller": DIRECT}


def page_result(use_id: str, page: Page) -> Block:
    """Give a page that was read, whose text nobody tells us, or say that it could not be."""
    content: dict[str, object] = {"type": "web_fetch_tool_result_error", "error_code": "url_not_accessible"}
    if page.read:
        source = {"type": "text", "media_type": "text/plain", "data": ""}
        document = {"type": "document", "source": source, "title": None}
        content = {"type": "web_fetch_result", "url": page.url, "retrieved_at": None, "content": document}
    return {"type": "web_fetch_tool_result", "tool_use_id": use_id, "content": content, "caller": DIRECT}


def code_result(use_id: str, outcome: str, output: str) -> Block:
    """Give what code has printed, or how it failed."""
    content: dict[str, object]
    if outcome == "deadline_exceeded" and not output:
        content = {"type": "code_execution_tool_result_error", "error_code": "execution_time_exceeded"}
    else:
        code, errors = RETURNED.get(outcome, (1, ""))
        content = {
            "type": "code_execution_result",
            "stdout": output if code != 1 else "",
            "stderr": output if code == 1 else errors,
            "return_code": code,
            "content": [],
        }
    return {"type": "code_execution_tool_result", "tool_use_id": use_id, "content": content}
