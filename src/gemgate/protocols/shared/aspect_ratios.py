"""Sizes of pictures to be made → the proportions that the upstream knows."""

import math
import re

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
SIZE = re.compile(r"([1-9][0-9]{0,5})[x:]([1-9][0-9]{0,5})", re.IGNORECASE)


def aspect_ratio(size: str) -> str | None:
    """Give the ratio nearest to a size, such as `1536x1024` or `3:2`; `None` for what is no size."""
    found = SIZE.fullmatch(size.strip())
    if found is None:
        return None
    wanted = _logarithm(found[1], found[2])
    return min(RATIOS, key=lambda ratio: abs(_logarithm(*ratio.split(":")) - wanted))


def _logarithm(width: str, height: str) -> float:
    return math.log(int(width) / int(height))
