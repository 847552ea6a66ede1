"""One gateway for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.e2e.bed import Bed, running_bed


@pytest.fixture(scope="module")
def module_bed() -> Iterator[Bed]:
    with running_bed() as bed:
        yield bed


@pytest.fixture
def bed(module_bed: Bed) -> Iterator[Bed]:
    """The module's bed, with a fake that remembers nothing but resources."""
    module_bed.up.reset()
    yield module_bed
    assert module_bed.up.failures == []
