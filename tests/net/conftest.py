"""The client runs on uvloop in production and on asyncio's own loop on Windows: every test here takes both."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop

Factory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: object, item: object) -> Mapping[str, Factory]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
