"""A small language model run in this process by llama.cpp, for when there is no Gemini key."""

from gemgate.upstreams.embedded.upstream import EmbeddedUpstream

__all__ = ["EmbeddedUpstream"]
