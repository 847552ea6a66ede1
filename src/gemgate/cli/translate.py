"""`gemgate translate`: what would be sent upstream for a request, without sending anything."""

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Raw, json

from gemgate.app import translator
from gemgate.config import load
from gemgate.errors import GemgateError

BOM = b"\xef\xbb\xbf"
"""What some editors put before text."""


def translate(environment: Mapping[str, str], flags: Mapping[str, object], path: str, file: str) -> int:
    """Print the translation of the request in a file (`-` is standard input); gives 1 if it cannot be translated."""
    settings = load(environment, flags)
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        body = body.removeprefix(BOM)
        if not body.strip():
            print("gemgate: there is no request; pipe its body in, or name a FILE", file=sys.stderr)
            return 1
        json.decode(body, type=Raw)
    except OSError as error:
        print(f"gemgate: {file} cannot be read: {error.strerror}", file=sys.stderr)
        return 1
    except (msgspec.DecodeError, RecursionError) as error:
        print(f"gemgate: {file} is not JSON: {error}", file=sys.stderr)
        return 1
    try:
        asked = json.encode({"path": path, "body": Raw(body)})
        shown = translator(settings).translated(asked, strict=settings.server.strict)
    except GemgateError as error:
        field = getattr(error, "param", None)
        hint = _hint(body) if field == "messages" else ""
        print(f"gemgate: {error.message}" + (f" ({field})" if field else "") + hint, file=sys.stderr)
        return 1
    print(json.format(shown, indent=2).decode())
    return 0


def _hint(body: bytes) -> str:
    """Say how to translate a request that lacks messages, if it looks like one for a response."""
    said = json.decode(body, type=dict[str, object])
    is_response = said.get("input") and not said.get("messages")
    return " For a Responses request say --path /v1/responses." if is_response else ""
