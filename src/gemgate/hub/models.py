"""What a list of models says of one."""

from datetime import date

from msgspec import Struct

from gemgate.hub.abilities import Abilities


class ModelInfo(Struct, frozen=True, kw_only=True):
    """A model that can be asked for; limits in tokens, 0 if unknown."""

    name: str
    display_name: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    methods: tuple[str, ...] = ()
    owner: str = ""
    input: tuple[str, ...] = ()
    """modalities, lower case; empty if unknown"""
    abilities: Abilities | None = None
    """`None` if they are a guess"""
    retires_on: date | None = None
    """the first day without it, if there is one"""
