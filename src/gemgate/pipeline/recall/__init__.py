"""Thought signatures for clients that lose them."""
