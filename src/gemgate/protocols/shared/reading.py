"""Words for a request body that cannot be read."""

import re

import msgspec

from gemgate.errors import InvalidRequest

MISSING = re.compile(r"missing required field `(\w+)`")
WHERE = re.compile(r" - at `(?:key in )?\$(.*)`$")


def unreadable(error: Exception) -> InvalidRequest:
    """Say what is wrong with a body, and where: `$.messages[0].role` becomes the path `messages.0.role`."""
    if isinstance(error, RecursionError):
        return InvalidRequest("The request body is nested too deeply.", code="invalid_json")
    if not isinstance(error, msgspec.ValidationError):
        return InvalidRequest(f"The request body is not valid JSON: {error}.", code="invalid_json")
    text = str(error)
    found = WHERE.search(text)
    path = dotted(found[1]) if found else ""
    message = WHERE.sub("", text)
    if missing := MISSING.search(message):
        path = f"{path}.{missing[1]}".lstrip(".")
        return InvalidRequest(f"The request names no {missing[1]}; it is required.", param=path)
    if not path:
        return InvalidRequest(f"The request body must be a JSON object: {message}.")
    return InvalidRequest(f"Wrong type for {path}: {message}.", param=path)


def dotted(path: str) -> str:
    """Write a JSON path of msgspec's as a dotted one; its `[...]` is any position."""
    return re.sub(r"\[(\.\.\.|\d+)\]", lambda index: "." + index[1].replace("...", "*"), path).lstrip(".")
