"""stub"""
from datetime import date
from msgspec import Struct
from gemgate.catalog.abilities import Abilities
from gemgate.hub.call import Reasoning


class Target(Struct, frozen=True, kw_only=True):
    """Where a public model name leads."""

    asked: str
    """the name as the client wrote it, without `models/`"""
    model: str
    """the name that goes upstream"""
    abilities: Abilities = Abilities()
    reasoning: Reasoning | None = None
    """what a suffix such as `-thinking` asks for, where the request itself says nothing"""
    web_search: bool = False
    """a `-search` suffix"""
    by_url: bool = False
    """a `-file` suffix: media are named by URL and fetched by the upstream"""
    successor: str | None = None
    """what to try if the upstream no longer knows `model`"""
