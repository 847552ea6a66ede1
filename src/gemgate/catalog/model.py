"""One row of the catalogue: what is known of a model by name."""

from datetime import date
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict, replace

Kind = Literal["chat", "image", "imagen", "video", "embedding", "speech", "live", "transcribe"]


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model costs: US dollars per million tokens (`_mtok`), or per the unit in the name; `None` is not known.

    A general price holds for every part that has none of its own: output's for thoughts and audio, input's for images.
    """

    input_usd_per_mtok: float | None = None
    input_per_audio_usd_per_mtok: float | None = None
    input_per_image_usd_per_mtok: float | None = None
    input_per_video_usd_per_mtok: float | None = None
    input_above_200ks_usd_per_mtok: float | None = None
    """of the whole prompt, once it is longer than 200,000 tokens; likewise the others of this ending"""
    cache_read_input_usd_per_mtok: float | None = None
    cache_read_input_audio_usd_per_mtok: float | None = None
    cache_read_input_above_200ks_usd_per_mtok: float | None = None
    output_usd_per_mtok: float | None = None
    output_per_reasoning_usd_per_mtok: float | None = None
    output_per_audio_usd_per_mtok: float | None = None
    output_per_image_usd_per_mtok: float | None = None
    output_per_video_usd_per_mtok: float | None = None
    output_above_200ks_usd_per_mtok: float | None = None
    output_cost_per_image_usd: float | None = None
    output_cost_per_second_usd: float | None = None
    output_cost_per_second_1080p_usd: float | None = None
    output_cost_per_second_4k_usd: float | None = None
    google_search_usd_per_query: float | None = None
    google_maps_grounding_cost_per_query_usd: float | None = None


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of one model; limits are in tokens, `None` is not known."""

    name: str
    kind: Kind = "chat"
    methods: tuple[str, ...] = ()
    input: tuple[str, ...] = ()
    """modalities, lower case"""
    output: tuple[str, ...] = ()
    """modalities, lower case"""
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    platform: str | None = None
    """the only platform that offers it, if not the usual one"""
    retires_on: date | None = None
    """the first day without it"""
    successor: str | None = None
    """the row that takes over"""
    price: Price | None = None
    price_from: dict[date, Price] = {}
    """changes of the price; each says only what is new"""

    def retired(self, today: date) -> bool:
        """Tell whether its last day has passed."""
        return self.retires_on is not None and self.retires_on <= today

    def price_on(self, day: date) -> Price | None:
        """Find the price of a day, all changes up to it applied; `None` if none is known."""
        price = self.price
        for since in sorted(self.price_from):
            if since <= day:
                change = {key: value for key, value in asdict(self.price_from[since]).items() if value is not None}
                price = replace(price or Price(), **change)
        return price
