"""Aliases by pattern: one line for many names."""

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct


class Pattern(Struct, frozen=True):
    """Names and the model that they stand for; a star in `text` is any run of characters, an empty one too."""

    text: str
    model: str
    """the name here, which may carry suffixes"""
    pieces: tuple[str, ...]
    """what stands between the stars"""

    @property
    def ends_open(self) -> bool:
        """Whether the end of a name may be anything: then a suffix is not the pattern's own."""
        return not self.pieces[-1]

    def holds(self, name: str) -> bool:
        """Tell whether this is one of the names, in time linear in its length."""
        first, *inner, last = self.pieces
        at, end = len(first), len(name) - len(last)
        if at > end or not name.startswith(first) or not name.endswith(last):
            return False
        for piece in inner:
            at = name.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True


def is_pattern(text: str) -> bool:
    """Tell a pattern from a whole name."""
    return "*" in text


def patterns(aliases: Mapping[str, str], own: Collection[str]) -> tuple[Pattern, ...]:
    """Give the patterns among aliases, the strongest first.

    Those of the operator (`own`) go before the built-in ones, then the most literal characters, then the alphabet.
    """
    found = [Pattern(text, model, tuple(text.split("*"))) for text, model in aliases.items() if is_pattern(text)]
    return tuple(sorted(found, key=lambda each: (each.text not in own, -sum(map(len, each.pieces)), each.text)))


def strongest(among: Iterable[Pattern], name: str, but_not: Collection[str]) -> Pattern | None:
    """Find the first pattern that holds a name; `but_not` are the texts of those that have had their turn."""
    return next((each for each in among if each.holds(name) and each.text not in but_not), None)
