"""Gateways, and each client installed when the first test needs it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import anthropic_sdk, claude_code
from tests.clients import codex as codex_client
from tests.clients.anthropic_sdk import AnthropicSdk
from tests.clients.bed import Bed, running_bed
from tests.clients.claude_code import ClaudeCode
from tests.clients.codex import Codex, keeping_to_its_way
from tests.clients.installing import NotInstalled


def provided(request: pytest.FixtureRequest, install: Callable[[], Path]) -> Path:
    """Install a client for all to see, or skip with the reason."""
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        try:
            return install()
        except NotInstalled as reason:
            pytest.skip(str(reason))


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    with running_bed(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def module_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with running_bed(tmp_path_factory.mktemp("bed")) as made:
        yield made


@pytest.fixture
def shared(module_bed: Bed) -> Iterator[Bed]:
    """The gateway of all tests of a module, for those that leave no key tired."""
    module_bed.begin_anew()
    yield module_bed
    module_bed.check()


@pytest.fixture(scope="session")
def claude_program(request: pytest.FixtureRequest) -> Path:
    return provided(request, claude_code.install)


@pytest.fixture
def claude(claude_program: Path, bed: Bed, tmp_path: Path) -> ClaudeCode:
    return ClaudeCode(claude_program, bed, tmp_path)


@pytest.fixture(scope="session")
def codex_program(request: pytest.FixtureRequest) -> Path:
    return provided(request, codex_client.install)


@pytest.fixture(params=[False, True], ids=["http", "socket"])
def socket(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def codex(codex_program: Path, shared: Bed, tmp_path: Path, socket: bool) -> Iterator[Codex]:
    with keeping_to_its_way(codex_program, shared, tmp_path, socket=socket) as made:
        yield made


@pytest.fixture(scope="module", params=anthropic_sdk.GENERATIONS)
def sdk(request: pytest.FixtureRequest) -> Iterator[AnthropicSdk]:
    folder = provided(request, anthropic_sdk.GENERATIONS[request.param])
    with AnthropicSdk.running(folder) as made:
        yield made
