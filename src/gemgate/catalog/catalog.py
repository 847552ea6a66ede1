"""Public model names: where they lead and what stands behind them.

A name that is not known is not an error: it goes upstream as it is, with the abilities of the closest family.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from gemgate.catalog.aliases import strongest
from gemgate.catalog.data import Data, read
from gemgate.catalog.families import family
from gemgate.catalog.model import Model
from gemgate.errors import SettingsError
from gemgate.hub.abilities import Abilities, Thinking
from gemgate.hub.call import Effort, Reasoning

# Names come from clients: how many routes are remembered, and beyond what length a name is nobody's.
REMEMBERED_ROUTES = 1_024
LONGEST_NAME = 200

# `window` is how some clients ask for a long context; a model here has what it has. No upstream name ends so.
_SUFFIX = re.compile(
    r"(?:-(?:(?P<search>search)|(?P<file>file)|(?P<off>nothinking)|(?P<most>maxthinking)"
    r"|thinking(?:-(?:(?P<budget>[0-9]{1,6})|(?P<effort>minimal|low|medium|high)))?)"
    r"|(?P<window>\[[0-9]{1,4}[km]\]))\Z"
)


class Target(Struct, frozen=True, kw_only=True):
    """Where a public model name leads."""

    asked: str
    """the name as the client wrote it, without `models/`"""
    model: str
    """the name that goes upstream"""
    family: str = ""
    """whose abilities these are; what a model has signed, another of its family understands"""
    abilities: Abilities = Abilities()
    max_output_tokens: int | None = None
    """the most that one answer may have, if it is known"""
    reasoning: Reasoning | None = None
    """what a suffix such as `-thinking` asks for, where the request itself says nothing"""
    web_search: bool = False
    """a `-search` suffix"""
    by_url: bool = False
    """a `-file` suffix: media are named by URL and fetched by the upstream"""
    successor: str | None = None
    """what to try if the upstream no longer knows `model`"""


class _Way(Struct, frozen=True, kw_only=True):
    """Where the walk from a public name ends."""

    name: str
    row: Model | None
    """the row of that name"""
    led: bool
    """an alias or a pattern was passed: someone has said where such names lead"""
    suffixes: tuple[re.Match[str], ...] = ()
    """those cut on the way, outermost first"""


class Catalog:
    """All that is known of models, and the way from a public name to one of them."""

    def __init__(self, data: Data) -> None:
        """Take checked data; raises `SettingsError` for aliases that lead in a circle."""
        self._data = data
        # Every way that begins with an alias or a pattern is walked to its end, so that no request meets a circle.
        for alias in data.aliases:
            self._way(alias)
        for pattern in data.patterns:
            self._way(pattern.model, frozenset({pattern.text}))
        self._remembered = lru_cache(maxsize=REMEMBERED_ROUTES)(self._route)

    @classmethod
    def load(cls, overrides: Mapping[str, object] | None = None) -> "Catalog":
        """Load the built-in data, with an operator's tables laid over it key by key.

        Raises `SettingsError`, which names the key and the cure.
        """
        return cls(read(overrides))

    def __iter__(self) -> Iterator[Model]:
        return iter(self._data.models.values())

    def __len__(self) -> int:
        return len(self._data.models)

    def newest_chat_model(self, today: date) -> str:
        """Name a chat model of the newest family, for examples."""
        families = self._data.families
        rows = self.chat_models(today)
        return next(row.name for row in rows if family(row.name, families) == self._data.newest)

    def model(self, name: str) -> Model | None:
        """Find the row of exactly this name, `models/` aside."""
        return self._data.models.get(self._bare(name))

    def chat_models(self, today: date) -> tuple[Model, ...]:
        """List the chat models that can be used today, by name."""
        rows = (row for row in self if row.kind == "chat" and row.platform is None and not row.retired(today))
        return tuple(sorted(rows, key=lambda row: row.name))

    def chats(self, name: str) -> bool:
        """Tell whether a model of this upstream name is one to talk with; of an unknown name, its family decides."""
        row = self._data.models.get(name)
        return row.kind == "chat" if row is not None else self.abilities(name).output == ("text",)

    def disguised(self, name: str) -> str:
        """Give the second name of a model, for clients that look for one of their own vendor's."""
        return self._data.disguise.prefix + name

    def abilities(self, name: str) -> Abilities:
        """Tell what a model of this upstream name can do; of an unknown name, what its family can."""
        return self._data.families[self._family(name)]

    def _family(self, name: str) -> str:
        return family(name, self._data.families) or self._data.newest

    def route(self, name: str, today: date) -> Target:
        """Find out where a name as the client wrote it leads on a day; never fails."""
        if len(name) > LONGEST_NAME:
            newest = self._data.newest
            return Target(asked=name, model=name, family=newest, abilities=self._data.families[newest])
        return self._remembered(name, today)

    def _route(self, name: str, today: date) -> Target:
        asked = self._bare(name)
        way = self._way(asked)
        row = way.row
        while row is not None and row.successor and row.retired(today):
            row = self._data.models[row.successor]
        model = way.name if row is None else row.name
        abilities = self.abilities(model)
        target = Target(
            asked=asked,
            model=model,
            family=self._family(model),
            abilities=abilities,
            max_output_tokens=row and row.max_output_tokens,
            successor=row and row.successor,
        )
        for suffix in reversed(way.suffixes):
            target = _applied(suffix, target, abilities.thinking)
        return target

    def _bare(self, name: str) -> str:
        stripped = True
        while stripped:
            stripped = False
            for prefix in self._data.prefixes:
                if prefix and name.startswith(prefix):
                    name, stripped = name[len(prefix) :], True
        return name

    def _way(self, name: str, passed: frozenset[str] = frozenset()) -> _Way:
        """Walk from a name to the last one that it stands for; `passed` are the aliases and patterns behind us.

        Every step shortens the name or passes one more of them. A pattern that was passed is not looked at again; an
        alias met again is a circle, and raises `SettingsError`. Where an alias or a pattern leads to the name of a
        model, that is meant: no other pattern (one for all the rest, say) takes it from there.
        """
        aliases, led = self._data.aliases, False
        while True:
            if name in aliases:
                if name in passed:
                    raise SettingsError(f"aliases.{name}", "leads back to itself; let it name a model")
                passed |= {name}
                name, led = aliases[name], True
                continue
            shown = self._undisguised(name)
            if shown is not None:
                name = shown
                continue
            row = self._data.models.get(name)
            pattern = None if passed and self._is_models(name) else strongest(self._data.patterns, name, passed)
            if row is None and (pattern is None or pattern.ends_open):
                way = self._cut(name, passed)
                if way is not None:
                    return way
            if pattern is None:
                return _Way(name=name, row=row, led=led)
            passed |= {pattern.text}
            name, led = pattern.model, True

    def _cut(self, name: str, passed: frozenset[str]) -> _Way | None:
        """Walk on without the last suffix; `None` if there is none, or if nobody knows the name without it."""
        suffix = _SUFFIX.search(name)
        if suffix is None or not suffix.start():
            return None
        way = self._way(name[: suffix.start()], passed)
        if way.row is None and not way.led and not suffix["window"]:
            return None
        return replace(way, suffixes=(suffix, *way.suffixes))

    def _undisguised(self, name: str) -> str | None:
        """Give the model's own name, if this is one in disguise."""
        disguise = self._data.disguise
        if not disguise.prefix or not name.startswith(disguise.prefix):
            return None
        shown = name[len(disguise.prefix) :]
        return shown if shown in self._data.aliases or self._is_models(shown) else None

    def _is_models(self, name: str) -> bool:
        """Tell whether a name is a model's own, as far as that can be told without asking for it."""
        return name in self._data.models or name.startswith(self._data.disguise.beginnings)


def _applied(suffix: re.Match[str], target: Target, thinking: Thinking) -> Target:
    if suffix["window"]:
        return target
    if suffix["search"]:
        return replace(target, web_search=True)
    if suffix["file"]:
        return replace(target, by_url=True)
    return replace(target, reasoning=_wish(suffix, thinking))


def _wish(suffix: re.Match[str], thinking: Thinking) -> Reasoning:
    if suffix["off"]:
        return Reasoning(effort="none", include_thoughts=False)
    if suffix["most"]:
        return Reasoning(effort="max", include_thoughts=True)
    if suffix["effort"]:
        return Reasoning(effort=cast(Effort, suffix["effort"]), include_thoughts=True)
    if suffix["budget"]:
        return Reasoning(budget_tokens=int(suffix["budget"]), include_thoughts=True)
    # Where the model thinks of its own accord, how much is left to it.
    starts_off = thinking.control == "budget" and thinking.default == 0
    return Reasoning(budget_tokens=-1 if starts_off else None, include_thoughts=True)
