"""What no file of the project may hold."""

import re

from tests.architecture.source import ROOT, tracked

MACHINE_PATH = re.compile(rb"/(?:work|root)/")
REGISTRY = re.compile(
    rb"(?:pypi\.org|pythonhosted\.org|pypi\.python\.org|registry\.npmjs\.org|registry\.yarnpkg\.com|index\.crates\.io"
    rb"|proxy\.golang\.org|rubygems\.org|repo1?\.maven\.org|artifactory|nexus[.-])",
    re.IGNORECASE,
)
ADDRESS = re.compile(rb"https?://|--index-url|--extra-index-url|--find-links|--trusted-host")
RULES = "tests/architecture/"
"""The rules themselves name what they forbid."""


def texts() -> list[tuple[str, bytes]]:
    found = [(path.relative_to(ROOT).as_posix(), path) for path in tracked()]
    return [(name, path.read_bytes()) for name, path in found if not name.startswith(RULES)]


def lines_with(pattern: re.Pattern[bytes], files: list[tuple[str, bytes]]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120].decode(errors='replace')}"
        for name, data in files
        if pattern.search(data)
        for number, line in enumerate(data.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_there_is_something_to_look_at() -> None:
    names = {name for name, _ in texts()}
    assert {"pyproject.toml", "Makefile", "requirements/base.txt"} <= names and len(names) > 100


def test_no_path_of_one_machine() -> None:
    assert lines_with(MACHINE_PATH, [("x", b"see /" + b"work/x")])
    assert lines_with(MACHINE_PATH, texts()) == []


def test_no_registry_is_named() -> None:
    assert lines_with(REGISTRY, texts()) == []


def test_lock_files_carry_names_and_hashes_only() -> None:
    locks = [(name, data) for name, data in texts() if re.fullmatch(r"requirements/\w+\.(?:txt|in)", name)]
    assert len(locks) >= 8
    assert lines_with(ADDRESS, locks) == []
    for name, data in locks:
        if name.endswith(".txt"):
            pins = re.findall(rb"(?m)^[A-Za-z0-9][^\n]*", data)
            assert pins and all(b"==" in pin for pin in pins), name
            assert data.count(b"--hash=sha256:") >= len(pins), name
