"""Errors as Chat writes them: as every format of OpenAI's does."""

from gemgate.protocols.shared.error_object import error_object, render

__all__ = ["error_object", "render"]
