"""Who may name a vendor, and who may name a model."""

import re

import pytest

from tests.architecture.source import code, modules, name

VENDOR = re.compile(r"gemini|google|openai|anthropic|claude|gpt|codex|mistral|deepseek", re.IGNORECASE)
MODEL = re.compile(r"gemini-\d|gpt-\d|gpt-[a-z]+-\d|claude-|imagen-\d|veo-\d|gemma-\d", re.IGNORECASE)

ALLOWED = {
    "protocols/": "a wire format is a vendor's",
    "upstreams/": "so is an upstream",
    "surfaces/": "and what a client speaks",
    "catalog/": "the rows and the columns of their price lists",
    "server/routes.py": "paths are the vendors' own",
    "server/endpoint.py": "maps a dialect to its errors and surfaces",
    "app.py": "the composition root puts all of them together",
    "config.py": "settings name what they configure, and tell the vendor's keys from ours",
    "cli/": "the command line names the settings, and shows clients what to write",
    "__init__.py": "what gemgate is for",
}
"""Places that may name vendors, each with its reason."""


def allowed(path: str) -> bool:
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in ALLOWED)


def test_the_rule_can_find_something() -> None:
    assert VENDOR.search("class GeminiThing") and VENDOR.search("x = 'OPENAI'") and MODEL.search("'gemini-3-pro'")
    assert not allowed("pipeline/handle.py") and not allowed("appendix.py") and allowed("protocols/x/y.py")


def test_vendors_are_named_only_where_they_belong() -> None:
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in modules()
        if not allowed(name(path))
        for number, line in code(path)
        if VENDOR.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("place", ALLOWED)
def test_no_place_is_allowed_without_need(place: str) -> None:
    assert any(
        VENDOR.search(path.read_text())
        for path in modules()
        if name(path) == place or (place.endswith("/") and name(path).startswith(place))
    ), "nothing here names a vendor any more: strike it from the list"


def test_no_model_is_named_in_python() -> None:
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in modules()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if MODEL.search(line)
    ]
    assert found == []
