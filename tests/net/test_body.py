"""Cutting bodies for the socket."""

import mmap
import random
import tempfile
import tracemalloc
from array import array

import pytest

from gemgate.net.body import SLICE_BYTES, Segments, length, slices


def test_small_neighbours_go_together_and_large_ones_are_cut() -> None:
    large = bytes(range(256)) * (2 * SLICE_BYTES // 256)
    pieces = list(slices((b"head", b'{"data":"', memoryview(large), b'"}')))
    assert b"".join(pieces) == b'head{"data":"' + large + b'"}'
    assert [len(piece) for piece in pieces] == [SLICE_BYTES, SLICE_BYTES, 15]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_wherever_the_borders_are(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemgate.net.body.SLICE_BYTES", 10)
    chance = random.Random(seed)
    segments = [chance.randbytes(chance.choice([0, 1, 3, 9, 10, 11, 20, 35])) for _ in range(chance.randrange(12))]
    whole = b"".join(segments)
    body: Segments = tuple(memoryview(one) if chance.random() < 0.5 else one for one in segments)
    pieces = list(slices(body))
    assert b"".join(pieces) == whole and length(body) == len(whole)
    assert all(len(piece) == 10 for piece in pieces[:-1]) and all(pieces)


def test_a_view_of_wider_items_counts_its_bytes() -> None:
    view = memoryview(array("I", range(100)))
    assert length((view, b"xy")) == view.nbytes + 2
    assert b"".join(slices((view, b"xy"))) == view.tobytes() + b"xy"


def test_no_more_than_a_slice_is_copied() -> None:
    large = memoryview(bytes(16 * SLICE_BYTES + 7))
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in slices((b"head", large, b"tail"))]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) == len(large) + 8
    assert peak < 3 * SLICE_BYTES


def test_a_file_can_be_unmapped_when_sending_has_stopped() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(3 * SLICE_BYTES))
        file.flush()
        body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        for piece in slices((b"head", body)):
            assert len(piece) == SLICE_BYTES
            break
        body.close()  # a BufferError if anything still looked at it
