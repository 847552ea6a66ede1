"""One gateway for the whole list, and every recording once through it."""

from collections.abc import Iterator

import pytest

from tests.acceptance.playing import Played, play_all
from tests.bed.strict_gemini import StrictGemini
from tests.e2e.bed import Bed, running_bed


@pytest.fixture(scope="package")
def package_bed() -> Iterator[Bed]:
    with running_bed() as bed:
        yield bed


@pytest.fixture
def bed(package_bed: Bed) -> Iterator[Bed]:
    package_bed.up.reset()
    yield package_bed
    assert package_bed.up.failures == []


@pytest.fixture
def strict(bed: Bed) -> StrictGemini:
    """Answer as Google does: refuse what is unsigned or out of turn."""
    return StrictGemini(bed.up)


@pytest.fixture(scope="package")
def played() -> tuple[Played, ...]:
    with running_bed() as bed:
        return play_all(bed)
