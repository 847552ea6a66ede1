"""Anthropic's formats: so far errors and lists of models, for clients that ask in this dialect."""
