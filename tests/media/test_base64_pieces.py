"""Base64 does not depend on where the pieces end."""

import base64
import random

import pytest

from gemgate.media.base64_pieces import STEP_BYTES, Base64


def encoded(pieces: list[bytes]) -> bytes:
    made = Base64()
    for piece in pieces:
        made.add(piece)
    assert made.size == sum(map(len, pieces))
    return bytes(made.end())


@pytest.mark.parametrize("seed", range(50))
def test_any_cut_gives_the_same(seed: int) -> None:
    chance = random.Random(seed)
    pieces = [chance.randbytes(chance.choice([0, 1, 1, 2, 3, 4, 5, 100])) for _ in range(chance.randrange(20))]
    assert encoded(pieces) == base64.b64encode(b"".join(pieces))


@pytest.mark.parametrize("size", [STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 3 * STEP_BYTES + 2])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_long_pieces(size: int, before: int) -> None:
    whole = random.Random(1).randbytes(before + size)
    assert encoded([whole[:before], whole[before:]]) == base64.b64encode(whole)


def test_what_it_gives_cannot_be_written_to() -> None:
    assert Base64().end().readonly
