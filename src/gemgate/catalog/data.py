"""The catalogue's data: the built-in file, an operator's laid over it, checked and turned into rows."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from gemgate.catalog.aliases import Pattern, is_pattern, patterns
from gemgate.catalog.model import Model
from gemgate.errors import SettingsError
from gemgate.hub.abilities import Abilities

Table = dict[str, Any]

# Beside this file; `importlib.resources` would cost 20 ms of imports to find it.
BUILT_IN = Path(__file__).with_name("models.toml")

_T = TypeVar("_T")
_Row = TypeVar("_Row", bound=Struct)


class Disguise(Struct, frozen=True, kw_only=True):
    """A second name for every model: its own with something before it."""

    prefix: str
    beginnings: tuple[str, ...]
    """how names of models begin; behind the prefix they are known by it, whether they have a row or not"""


class Data(Struct, frozen=True, kw_only=True):
    """Everything the catalogue knows, checked: every reference leads somewhere and none in a circle."""

    newest: str
    """the family of unknown names"""
    prefixes: tuple[str, ...]
    disguise: Disguise
    aliases: dict[str, str]
    """whole names alone"""
    patterns: tuple[Pattern, ...]
    """the strongest first"""
    families: dict[str, Abilities]
    models: dict[str, Model]


def read(overrides: Mapping[str, object] | None = None) -> Data:
    """Read the built-in data with an operator's tables of the same shape laid over it key by key.

    Raises `SettingsError`, which names the key and the cure.
    """
    tables = tomllib.loads(BUILT_IN.read_text(encoding="utf-8"))
    if overrides:
        _known(overrides, tuple(tables), "")
        tables = _laid_over(tables, overrides, "")
    kinds = cast(Table, tables["kinds"])
    disguise = _parse(tables["disguise"], Disguise, "disguise")
    aliases = _aliases(tables["aliases"], disguise)
    own = cast("Mapping[str, object]", (overrides or {}).get("aliases", {}))
    data = Data(
        newest=_convert(tables["newest"], str, "newest"),
        prefixes=_convert(tables["prefixes"], tuple[str, ...], "prefixes"),
        disguise=disguise,
        aliases={name: model for name, model in aliases.items() if not is_pattern(name)},
        patterns=patterns(aliases, own),
        families={name: _family(name, tables["families"]) for name in tables["families"]},
        models={name: _model(name, row, kinds) for name, row in tables["models"].items()},
    )
    if data.newest not in data.families:
        raise SettingsError("newest", f'there is no family "{data.newest}"; name one of [families]')
    for model in data.models.values():
        _check_successors(model, data.models)
    return data


def _laid_over(below: Table, above: Mapping[str, object], path: str) -> Table:
    merged = dict(below)
    for key, value in above.items():
        old = below.get(key)
        here = f"{path}.{key}" if path else key
        # At these depths stand tables even where the key is new: families.x, models.x.
        if isinstance(old, dict) or path in ("families", "models"):
            if not isinstance(value, Mapping):
                raise SettingsError(here, f"must be a table, not {value!r}; write it as [{here}]")
            merged[key] = _laid_over(cast(Table, old or {}), cast(Mapping[str, object], value), here)
        else:
            merged[key] = value
    return merged


def _aliases(table: Table, disguise: Disguise) -> dict[str, str]:
    aliases = {name: _convert(model, str, f"aliases.{name}") for name, model in table.items()}
    hidden = tuple(disguise.prefix + beginning for beginning in disguise.beginnings)
    for name, model in aliases.items():
        if is_pattern(model):
            raise SettingsError(f"aliases.{name}", f'"{model}" is no model; only names before the = may have a *')
        if is_pattern(name) and disguise.prefix and name.startswith(hidden):
            shown = name.removeprefix(disguise.prefix)
            raise SettingsError(
                f"aliases.{name}", f'patterns see such names without {disguise.prefix}; write "{shown}"'
            )
    # An empty name takes a built-in alias away.
    return {name: model for name, model in aliases.items() if model}


def _family(name: str, tables: Table) -> Abilities:
    abilities = _parse(_inherited(name, tables), Abilities, f"families.{name}")
    if abilities.thinking.control == "level" and not abilities.thinking.levels:
        raise SettingsError(f"families.{name}.thinking.levels", "is missing; list the levels, lowest first")
    return abilities


def _inherited(name: str, tables: Table, heirs: tuple[str, ...] = ()) -> Table:
    table = dict(tables[name])
    key = f"families.{name}.like"
    like = _convert(table.pop("like", ""), str, key)
    if not like:
        return table
    if like not in tables:
        raise SettingsError(key, f'there is no family "{like}"; name one of [families]')
    if like in (*heirs, name):
        raise SettingsError(key, "leads back to itself; let one of them stand alone")
    return _laid_over(_inherited(like, tables, (*heirs, name)), table, f"families.{name}")


def _model(name: str, row: Table, kinds: Table) -> Model:
    kind = _convert(row.get("kind", "chat"), str, f"models.{name}.kind")
    if kind not in kinds:
        raise SettingsError(f"models.{name}.kind", f"unknown kind {kind!r}; use one of {', '.join(kinds)}")
    # An empty successor takes a built-in one away.
    given = {key: value for key, value in row.items() if (key, value) != ("successor", "")}
    return _parse({**kinds[kind], **given, "name": name}, Model, f"models.{name}")


def _check_successors(model: Model, models: Mapping[str, Model]) -> None:
    seen = {model.name}
    while model.successor:
        key = f"models.{model.name}.successor"
        if model.successor not in models:
            raise SettingsError(key, f'there is no row "{model.successor}"; add it as [models."{model.successor}"]')
        if model.successor in seen:
            raise SettingsError(key, "leads back to itself; take one of the successors away")
        seen.add(model.successor)
        model = models[model.successor]


def _parse(table: Table, shape: type[_Row], key: str) -> _Row:
    _known(table, shape.__struct_fields__, key)
    return _convert(table, shape, key)


def _known(table: Mapping[str, object], fields: tuple[str, ...], key: str) -> None:
    for name in table:
        if name not in fields:
            raise SettingsError(f"{key}.{name}".lstrip("."), f"unknown key; use one of {', '.join(fields)}")


def _convert(value: object, shape: type[_T], key: str) -> _T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        # msgspec ends its message with the path below `key`: " - at `$.price`".
        what, _, path = str(error).partition(" - at `$")
        raise SettingsError(key + path.rstrip("`"), f"{what}; give it a value of that type, or remove it") from None
