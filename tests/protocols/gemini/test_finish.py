"""Why replies end, by number."""

import pytest
from google.ai.generativelanguage import Candidate

from gemgate.protocols.gemini.finish import FINISH_NUMBERS, finish_reason


def test_the_numbers_are_those_of_googles_contract() -> None:
    published = {int(value): value.name for value in Candidate.FinishReason}
    assert dict(enumerate(FINISH_NUMBERS)) == published


@pytest.mark.parametrize("number", [-1, len(FINISH_NUMBERS), 10**9])
def test_other_numbers_are_unknown(number: int) -> None:
    assert finish_reason(number, called=False) == ("other", str(number))


def test_a_number_says_what_its_name_says() -> None:
    for number, name in enumerate(FINISH_NUMBERS):
        assert finish_reason(number, called=True) == finish_reason(name, called=True)
