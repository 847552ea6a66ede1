"""Values that ask for nothing, as raw JSON."""

EMPTY = frozenset({b"null", b"{}", b"[]", b'""'})
ZERO = frozenset({b"0", b"0.0", b"false"})
"""What clients send by habit for what they do not want; where a zero is a wish of its own it is not empty."""
NOTHING = EMPTY | ZERO
"""Either of them."""
