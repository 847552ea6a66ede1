"""Upstream credentials: who is next, and who needs a rest."""
