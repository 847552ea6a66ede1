"""Arbitrary JSON, and valid documents with something wrong in them."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "1", "nan", "inf", "null", "user", "{", "\u2028", "auto", "high", "TRUE"])
)


def documents(keys: Sequence[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=4),
        max_leaves=20,
    )


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found.append((value, key))
        found += _places(item)
    return found


@st.composite
def mutated(draw: st.DrawFn, valid: Sequence[Any], keys: Sequence[str]) -> Any:
    """One of `valid` with up to three values replaced by something else."""
    document = json.loads(json.dumps(draw(st.sampled_from(valid))))
    for _ in range(draw(st.integers(1, 3))):
        if places := _places(document):
            container, key = draw(st.sampled_from(places))
            container[key] = draw(SCALARS | documents(keys))
    return document


BROKEN = [
    b"",
    b"{",
    b"nonsense",
    b"[]",
    b"5",
    b"null",
    b'"text"',
    b"NaN",
    b"\xff\xfe{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"messages":' + b"[" * 100_000,
    b'{"contents":' + b"[" * 100_000,
    b'{"model":"m","messages":[{"role":"user","content":"a"}],"x":' + b"[" * 100_000,
    b'{"contents":"a","labels":' + b'{"a":' * 100_000,
    b'{"messages":0,"contents":[{"parts":[{"functionCall":{"name":"f","args":'
    + b'{"a":' * 2_000
    + b"1"
    + b"}" * 2_000
    + b"}}]}]}]",
    b'{"contents":"\xff","messages":"\xff"}',
    b'{"contents":"\\ud800","model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    b'{"contents":NaN,"messages":NaN}',
    b'{"model":"m","messages":[{"role":"user","content":"a"}],"temperature":1e999,"generationConfig":{"topK":1e999}}',
]
"""Bodies that cannot be read."""
