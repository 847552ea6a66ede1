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

from gemgate.catalog.data import Data, read
from gemgate.catalog.families import family
from gemgate.catalog.model import Model
from gemgate.errors import SettingsError
from gemgate.hub.abilities import Abilities, Thinking
from gemgate.hub.call import Effort, Reasoning

# Names come from clients: how many routes are remembered, and beyond what length a name is nobody's.
REMEMBERED_ROUTES = 1_024
LONGEST_NAME = 200

_SUFFIX = re.compile(
    r"-(?:(?P<search>search)|(?P<file>file)|(?P<off>nothinking)|(?P<most>maxthinking)"
    r"|thinking(?:-(?:(?P<budget>[0-9]{1,6})|(?P<effort>minimal|low|medium|high)))?)\Z"
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


class Catalog:
    """All that is known of models, and the way from a public name to one of them."""

    def __init__(self, data: Data) -> None:
        """Take checked data; raises `SettingsError` for aliases that lead in a circle."""
        self._data = data
        for alias in data.aliases:
            self._known(alias)  # walks the whole way, so that no request meets a circle
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
        found = self._known(asked)
        if found is None:
            model = self._unaliased(asked)
            return Target(asked=asked, model=model, family=self._family(model), abilities=self.abilities(model))
        row, suffixes = found
        while row.successor and row.retired(today):
            row = self._data.models[row.successor]
        abilities = self.abilities(row.name)
        target = Target(
            asked=asked,
            model=row.name,
            family=self._family(row.name),
            abilities=abilities,
            max_output_tokens=row.max_output_tokens,
            successor=row.successor,
        )
        for suffix in reversed(suffixes):
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

    def _unaliased(self, name: str) -> str:
        while name in self._data.aliases:
            name = self._data.aliases[name]
        return name

    def _known(self, name: str) -> tuple[Model, list[re.Match[str]]] | None:
        """Find the row that a name means, and the suffixes cut on the way, outermost first.

        `None` if there is none, with or without suffixes: then nothing may be cut.
        """
        aliases, models = self._data.aliases, self._data.models
        suffixes: list[re.Match[str]] = []
        seen: set[str] = set()
        while name in aliases or name not in models:
            if name in aliases:
                if name in seen:
                    raise SettingsError(f"aliases.{name}", "leads back to itself; let it name a model")
                seen.add(name)
                name = aliases[name]
            elif suffix := _SUFFIX.search(name):
                suffixes.append(suffix)
                name = name[: suffix.start()]
            else:
                return None
        return models[name], suffixes


def _applied(suffix: re.Match[str], target: Target, thinking: Thinking) -> Target:
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
