"""`POST /v1/translate`: the request that would be sent upstream, and all that is renamed and dropped on the way.

Asks for `{"path": "/v1/chat/completions", "body": {…}}`; nothing is sent, fetched or remembered.
"""

import re
from mmap import mmap
from typing import Literal, Protocol, assert_never

import msgspec
from msgspec import Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.fit import refuse_drops
from gemgate.pipeline.preview import Preview
from gemgate.protocols.shared.reading import unreadable
from gemgate.surfaces.gemini_resources import ResourcePath

Format = Literal["openai_chat", "openai_responses", "anthropic", "gemini"]

NATIVE = re.compile(r"/(v1|v1beta|v1alpha)/(models/[^/]+:\w+)")
MESSAGES = re.compile(r"(?:/v1|/anthropic/v1|/anthropic)/messages")
OPENAI = r"(?:/v1|/gemini/v1|/openai/v1|/v1beta/openai|/openai|/gemini)"
CHAT = re.compile(rf"{OPENAI}/chat/completions")
RESPONSES = re.compile(rf"{OPENAI}/responses")


class Request(Struct):
    """What to translate; either of `format` and `path` can be told from the other, unless it is Gemini's."""

    body: Raw
    path: str | None = None
    format: Format | None = None


class Previews(Protocol):
    """Previews of a format's requests."""

    def preview(self, body: bytes) -> Preview:
        """Tell what would be sent."""
        ...


class GeminiPreviews(Protocol):
    """Previews of Gemini's own methods."""

    def preview(self, path: ResourcePath, body: bytes) -> Preview:
        """Tell what would be sent."""
        ...


class TranslateSurface:
    """Shows translations."""

    def __init__(self, chat: Previews, responses: Previews, messages: Previews, gemini: GeminiPreviews) -> None:
        self._chat = chat
        self._responses = responses
        self._messages = messages
        self._gemini = gemini

    async def show(self, exchange: Exchange, body: bytes | mmap) -> None:
        """Answer one request."""
        await exchange.answer(200, self.translated(bytes(body), strict=exchange.strict))

    def translated(self, document: bytes, *, strict: bool = False) -> bytes:
        """Translate; raises `InvalidRequest` as answering would, in `strict` mode for what would be dropped."""
        try:
            request = json.decode(document, type=Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(error) from error
        path, query = (request.path or "").partition("?")[::2]
        form = request.format or _format(path)
        match form:
            case "openai_chat":
                found = self._chat.preview(bytes(request.body))
            case "openai_responses":
                found = self._responses.preview(bytes(request.body))
            case "anthropic":
                found = self._messages.preview(bytes(request.body))
            case "gemini":
                native = NATIVE.fullmatch(path)
                if native is None:
                    raise InvalidRequest(
                        "Name the method: a path such as /v1beta/models/MODEL:generateContent.", param="path"
                    )
                found = self._gemini.preview(ResourcePath("", native[1], native[2]), bytes(request.body))
            case _:
                assert_never(form)
        if strict:
            refuse_drops(found.dropped)
        return _document(form, found, query)


def _format(path: str) -> Format:
    if not path or CHAT.fullmatch(path):
        return "openai_chat"
    if RESPONSES.fullmatch(path):
        return "openai_responses"
    if MESSAGES.fullmatch(path):
        return "anthropic"
    if NATIVE.fullmatch(path):
        return "gemini"
    raise InvalidRequest(
        f"{path[:200]!r} cannot be translated. It is /v1/chat/completions, /v1/responses, /v1/messages or "
        "/v1beta/models/MODEL:METHOD.",
        param="path",
    )


def _document(form: Format, found: Preview, query: str) -> bytes:
    outgoing = found.outgoing
    kept = [part for part in query.split("&") if part and not part.startswith(("key=", "access_token="))]
    url = outgoing.url
    if kept and form == "gemini":
        url = f"{url}{'&' if '?' in url else '?'}{'&'.join(kept)}"
    return json.encode(
        {
            "object": "gemgate.translation",
            "format": form,
            "upstream": found.upstream,
            "model": {"asked": found.asked, "sent": found.sent},
            "request": {"method": outgoing.method, "url": url, "body": Raw(b"".join(outgoing.body))},
            "renamed": outgoing.renamed,
            "dropped": [{"path": item.path, "why": item.why} for item in found.dropped],
            "fetched": found.fetched,
            "times": found.times,
        }
    )
