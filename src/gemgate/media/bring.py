"""Bringing in what a request names by address, before it is rendered: by address again, or fetched and put inline."""

import asyncio
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Protocol, assert_never

from msgspec import Struct
from msgspec.structs import replace

from gemgate.errors import InvalidRequest, TooLarge
from gemgate.hub.call import Generate
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Inline,
    Media,
    Opaque,
    Part,
    Remote,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from gemgate.protocols.shared.file_names import by_name
from gemgate.protocols.shared.media_types import assumed, decided, is_text, normal, specific

AT_ONCE = 8
MAX_URLS = 64
MAX_BASE64_BYTES = 140 * 1024 * 1024
"""Of all that is fetched for one request, as often as it is used there."""

NEVER_TEXT = ("image", "audio", "video")
GUESS = "image/jpeg"
"""What stands for media of which nothing is known before they are fetched."""


class Fetched(Protocol):
    """What was at an address: the type that its server names ("" if none) and the base64 of the whole."""

    @property
    def content_type(self) -> str:
        """As the server said."""
        ...

    @property
    def data(self) -> memoryview:
        """Base64."""
        ...


class Fetcher(Protocol):
    """Gets media from public addresses; raises a `GemgateError`."""

    async def fetch(self, url: str, /) -> Fetched:
        """Get what is at an address."""
        ...


ByAddress = Callable[[Media], Media | None]
"""Puts media as the upstream takes them by address; `None` if they must be fetched."""

_Change = Callable[[Media, str], Media]
"""Replaces media at an address; the other argument is the path of the part that holds them."""


class _Use(Struct):
    """Where an address stands first (a hub path), and how often it stands anywhere."""

    path: str
    times: int = 0


async def brought(call: Generate, by_address: ByAddress, fetcher: Fetcher) -> Generate:
    """Replace all media at addresses by those that can be rendered; each address is fetched once.

    Raises what the fetcher does, `InvalidRequest` with the hub path of the part at fault, and `TooLarge`.
    """
    handed_on = _changed(call, lambda media, _: by_address(media) or media)
    uses = _uses(handed_on)
    if not uses:
        return handed_on
    found = await _fetched(uses, fetcher)
    return _changed(handed_on, lambda media, path: _inlined(media, found[_url(media)], path))


def stand_ins(
    call: Generate, by_address: ByAddress, check: Callable[[str], object] | None = None
) -> tuple[Generate, tuple[str, ...]]:
    """Do the same without fetching: empty data of the likely type, and the URLs that would be fetched, each once.

    Raises what `check` does for a URL, with the path of the part at fault.
    """
    handed_on = _changed(call, lambda media, _: by_address(media) or media)
    uses = _uses(handed_on)
    if not uses:
        return handed_on, ()
    for url, use in uses.items():
        if check is not None:
            with _blaming(use):
                check(url)
    return _changed(handed_on, lambda media, _: _stand_in(media)), tuple(uses)


def _stand_in(media: Media) -> Media:
    kind = by_name(_url(media)) or assumed(media.mime_type) or GUESS
    return replace(media, mime_type=kind, source=Inline(""))


def _uses(call: Generate) -> dict[str, _Use]:
    uses: dict[str, _Use] = {}

    def use(media: Media, path: str) -> Media:
        uses.setdefault(_url(media), _Use(path)).times += 1
        if len(uses) > MAX_URLS:
            raise InvalidRequest(
                f"The request has media at more than {MAX_URLS} addresses. Send fewer, or send them as data.",
                param=path,
                code="too_many_addresses",
            )
        return media

    _changed(call, use)
    return uses


async def _fetched(uses: dict[str, _Use], fetcher: Fetcher) -> dict[str, Fetched]:
    """Fetch all addresses; the first that fails ends the fetching of the others."""
    found: dict[str, Fetched] = {}
    gate = asyncio.Semaphore(AT_ONCE)

    async def fetch(url: str, use: _Use) -> None:
        await gate.acquire()
        with _blaming(use):
            found[url] = await fetcher.fetch(url)
        if sum(len(one.data) * uses[where].times for where, one in found.items()) > MAX_BASE64_BYTES:
            raise TooLarge(
                f"The media at the request's addresses come to more than {MAX_BASE64_BYTES // 1024**2} MB in base64. "
                "Send fewer or smaller ones."
            )
        # Not after a failure: nothing begins in its place, and the group ends what waits.
        gate.release()

    failed: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for url, use in uses.items():
                group.create_task(fetch(url, use))
    except ExceptionGroup as all_failed:
        failed = all_failed.exceptions[0]
    if failed is None:
        return found
    # An error in a frame that it passes through keeps alive all that this frame holds, until the collector comes by.
    found.clear()
    try:
        raise failed  # outside of the handler, so that it keeps its own cause and context
    finally:
        del failed


@contextmanager
def _blaming(use: _Use) -> Generator[None]:
    """Name the part at fault."""
    try:
        yield
    except InvalidRequest as error:
        error.param = error.param or use.path
        raise


def _inlined(media: Media, fetched: Fetched, path: str) -> Media:
    url = _url(media)
    if not fetched.data:
        raise InvalidRequest(
            f"{_host(url)} sent a file without any data. Check the address.", param=path, code="unsupported_media"
        )
    hint = specific(media.mime_type)
    kind = decided(specific(fetched.content_type) or hint, fetched.data, url)
    if is_text(kind) and not _may_be_text(media, url, kind):
        what = "a web page" if "html" in kind else f"text ({kind})"
        raise InvalidRequest(
            f"{_host(url)} sent {what} instead of the media. Give the address of the file itself.",
            param=path,
            code="unsupported_media",
        )
    return replace(media, mime_type=kind, source=Inline(fetched.data))


def _may_be_text(media: Media, url: str, kind: str) -> bool:
    """Tell whether text is what the client can have meant; of an address that promises nothing, a page is not."""
    if normal(media.mime_type).partition("/")[0] in NEVER_TEXT:
        return False
    if is_text(media.mime_type):
        return True
    promised = by_name(url) or specific(media.mime_type)
    return is_text(promised) if promised else "html" not in kind


def _url(media: Media) -> str:
    assert isinstance(media.source, Remote)
    return media.source.url


def _host(url: str) -> str:
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2] or "The address"


def _changed(call: Generate, change: _Change) -> Generate:
    """Apply a change to every piece of media that is at an address."""
    messages = tuple(
        replace(message, parts=_changed_parts(message.parts, f"messages.{index}.parts", change))
        for index, message in enumerate(call.messages)
    )
    return replace(call, messages=messages, system=_changed_parts(call.system, "system", change))


def _changed_parts(parts: tuple[Part, ...], path: str, change: _Change) -> tuple[Part, ...]:
    return tuple(_changed_part(part, f"{path}.{index}", change) for index, part in enumerate(parts))


def _changed_part(part: Part, path: str, change: _Change) -> Part:
    match part:
        case Media():
            return _changed_media(part, path, change)
        case ToolResult():
            return replace(part, media=tuple(_changed_media(media, path, change) for media in part.media))
        case Text() | Thought() | ToolCall() | Code() | CodeResult() | Opaque():
            return part
        case _:
            assert_never(part)


def _changed_media(media: Media, path: str, change: _Change) -> Media:
    return change(media, path) if isinstance(media.source, Remote) else media
