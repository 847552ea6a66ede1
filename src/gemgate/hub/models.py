"""What a list of models says of one."""

from msgspec import Struct


class ModelInfo(Struct, frozen=True, kw_only=True):
    """A model that can be asked for; limits in tokens, 0 if unknown."""

    name: str
    display_name: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    methods: tuple[str, ...] = ()
    owner: str = ""
