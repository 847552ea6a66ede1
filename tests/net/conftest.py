"""The client runs on uvloop in production and on asyncio's own loop on Windows: every test here takes both."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from tests.net.certificates import issue

Factory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: object, item: object) -> Mapping[str, Factory]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    return issue(tmp_path)


@pytest.fixture
def trusted(authority: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[1]))
    return authority[0]
