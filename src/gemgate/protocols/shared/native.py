"""The upstream's own words, where another format's request says more than the hub has words for."""

GOOGLE = "gemini"
"""The format whose payload they are."""
