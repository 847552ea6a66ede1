"""Sizes of pictures as proportions."""

import pytest

from gemgate.protocols.shared.aspect_ratios import RATIOS, aspect_ratio


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ("1024x1024", "1:1"),
        ("512X512", "1:1"),
        ("1536x1024", "3:2"),
        ("1024x1536", "2:3"),
        ("1792x1024", "16:9"),
        ("1024x1792", "9:16"),
        ("3000x1000", "21:9"),
        ("1x99999", "9:16"),
        (" 16:9 ", "16:9"),
        *((ratio, ratio) for ratio in RATIOS),
    ],
)
def test_the_nearest_ratio(size: str, ratio: str) -> None:
    assert aspect_ratio(size) == ratio


@pytest.mark.parametrize("size", ["", "auto", "large", "0x1", "1x0", "x", "1024", "-1x1", "1e3x1", "9999999x1"])
def test_what_is_no_size(size: str) -> None:
    assert aspect_ratio(size) is None
