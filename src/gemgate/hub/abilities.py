"""What a model can do: the facts that decide how a request is put to it."""

from typing import Literal

from msgspec import Struct

Level = Literal["minimal", "low", "medium", "high"]


class Thinking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model's thinking is steered.

    `budget` models take a number of tokens from `min_tokens` to `max_tokens` (0 switches off where `can_disable`,
    -1 leaves it to the model); `level` models take one of `levels`, lowest first; `none` refuses every thinking
    setting.
    """

    control: Literal["none", "budget", "level"] = "none"
    min_tokens: int = 0
    max_tokens: int = 0
    levels: tuple[Level, ...] = ()
    default: int | Level | None = None
    can_disable: bool = False


class Abilities(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model honours; `False` means ignored or refused, so it is not sent and recorded as dropped."""

    thinking: Thinking = Thinking()
    sampling: bool = True
    """temperature, topP, topK"""
    penalties: bool = False
    logprobs: bool = False
    candidates: bool = False
    """more than one candidate in a reply"""
    prefill: bool = True
    """the last message may be the model's own"""
    builtins_with_functions: bool = False
    json_with_tools: bool = False
    json_schema: bool = True
    """takes schemas as JSON Schema, not only in its own dialect"""
    urls: bool = True
    """fetches media by address itself"""
    detail_per_part: bool = False
    """takes the detail of each image or video by itself, not one for all"""
    media_in_results: bool = False
    """images in a function's result"""
    signatures: bool = False
    """refuses function calls of the current turn without their signature"""
    output: tuple[str, ...] = ("text",)
    """modalities of the answer, lower case"""
