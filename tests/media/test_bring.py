"""Bringing media in: what is fetched, what is not, and what is said when it goes wrong."""

import asyncio
import contextlib
import gc
from base64 import b64encode
from collections.abc import Callable
from functools import partial

import pytest
from msgspec import Struct

from gemgate.errors import GemgateError, InvalidRequest, Timeout, TooLarge
from gemgate.hub.call import Generate
from gemgate.hub.parts import Inline, Media, Message, Part, Remote, Signature, Text, ToolCall, ToolResult, Uri
from gemgate.media import bring
from gemgate.media.bring import AT_ONCE, MAX_URLS, brought, stand_ins
from gemgate.protocols.gemini.addresses import by_address

PNG = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60))
WAV = b64encode(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(60))
PAGE = b64encode(b"<!doctype html><html></html>")
PROSE = b64encode(b"Once upon a time there was a file.")


class Fetched(Struct, frozen=True):
    content_type: str
    data: memoryview


class Web:
    """Addresses and what is there; asked for anything else it fails the test."""

    def __init__(self, pages: dict[str, tuple[str, bytes] | GemgateError]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    async def fetch(self, url: str, /) -> Fetched:
        self.asked.append(url)
        page = self.pages[url]
        await asyncio.sleep(0)
        if isinstance(page, GemgateError):
            raise page
        return Fetched(page[0], memoryview(page[1]))


def call(*parts: Part) -> Generate:
    return Generate(model="m", messages=(Message("user", parts),))


def at(url: str, hint: str = "") -> Media:
    return Media(hint, Remote(url))


def fetch_all(media: Media) -> None:
    return None


def handing_on(*, by_url: bool = False, fetches: bool = False) -> Callable[[Media], Media | None]:
    return partial(by_address, by_url=by_url, fetches=fetches)


def only(made: Generate) -> Media:
    (part,) = made.messages[0].parts
    assert isinstance(part, Media)
    return part


async def refusal(asked: Generate, web: Web) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        await brought(asked, fetch_all, web)
    return caught.value


async def test_a_call_without_addresses_stays() -> None:
    asked = call(Text("hi"), Media("image/png", Inline("AAAA")), Media("", Uri("gs://b/c")))
    web = Web({})
    assert await brought(asked, handing_on(), web) == asked and stand_ins(asked, handing_on()) == (asked, ())
    assert web.asked == []


async def test_media_everywhere() -> None:
    """In any message, in a function's result and in the system's words; all else stays as it is."""
    image, sound = "https://example.com/a", "https://example.com/b"
    web = Web({image: ("image/png", PNG), sound: ("audio/wav", WAV)})
    inline = Media("image/png", Inline("AAAA"), thought=True)
    asked = Generate(
        model="m",
        system=(Text("s"), at(image)),
        messages=(
            Message("user", (Text("look"), Media("", Remote(image), signature=Signature("x", "y"), detail="high"))),
            Message("model", (ToolCall("1", "f", "{}"),)),
            Message("user", (ToolResult("1", "f", "{}", (inline, at(sound))), at(image))),
        ),
        stream=True,
    )
    made = await brought(asked, fetch_all, web)
    picture, noise = Inline(memoryview(PNG)), Inline(memoryview(WAV))
    assert made == Generate(
        model="m",
        system=(Text("s"), Media("image/png", picture)),
        messages=(
            Message("user", (Text("look"), Media("image/png", picture, signature=Signature("x", "y"), detail="high"))),
            Message("model", (ToolCall("1", "f", "{}"),)),
            Message(
                "user", (ToolResult("1", "f", "{}", (inline, Media("audio/wav", noise))), Media("image/png", picture))
            ),
        ),
        stream=True,
    )
    assert sorted(web.asked) == [image, sound], "each address once"


async def test_data_are_not_copied() -> None:
    made = only(await brought(call(at("https://x/a")), fetch_all, Web({"https://x/a": ("", PNG)})))
    assert isinstance(made.source, Inline) and isinstance(made.source.data, memoryview)
    assert made.source.data.obj is PNG


async def test_what_goes_by_address_is_not_fetched() -> None:
    film, picture, youtube = "https://x/v.mov", "https://x/p.png", "https://youtu.be/abc"
    web = Web({picture: ("", PNG), film: ("video/quicktime", PNG)})
    made = await brought(call(at(film), at(picture), at(youtube)), handing_on(fetches=True), web)
    assert made.messages[0].parts == (
        Media("video/mov", Uri(film)),
        Media("image/png", Inline(memoryview(PNG))),
        Media("", Uri(youtube)),
    )
    assert web.asked == [picture]
    await brought(call(at(film)), handing_on(), web)
    assert web.asked == [picture, film]


@pytest.mark.parametrize(
    ("url", "hint", "said", "data", "mime"),
    [
        ("https://x/a", "", "image/jpeg", PNG, "image/png"),
        ("https://x/a.jpg", "image/gif", "text/html", PNG, "image/png"),
        ("https://x/a.csv", "", "text/csv; charset=utf-8", PROSE, "text/csv"),
        ("https://x/a.csv", "", "application/octet-stream", PROSE, "text/csv"),
        ("https://x/a", "text/markdown", "binary/octet-stream", PROSE, "text/markdown"),
        ("https://x/a.txt", "application/octet-stream", "", PROSE, "text/plain"),
        ("https://x/a", "", "text/plain", PROSE, "text/plain"),
        ("https://x/a.html", "", "text/html", PAGE, "text/html"),
        ("https://x/a", "text/*", "text/html", PAGE, "text/html"),
        ("https://x/a.md", "", "text/plain", PAGE, "text/plain"),
        ("https://x/a", "", "audio/x-wav", b64encode(b"unheard of"), "audio/wav"),
        ("https://x/a", "image/*", "", b64encode(b"unheard of"), ""),
    ],
)
async def test_the_type(url: str, hint: str, said: str, data: bytes, mime: str) -> None:
    made = only(await brought(call(at(url, hint)), fetch_all, Web({url: (said, data)})))
    assert made.mime_type == mime


@pytest.mark.parametrize(
    ("url", "hint", "said", "data", "what"),
    [
        ("https://user:pw@example.com:81/a.png?key=secret", "", "text/html", PAGE, "a web page"),
        ("https://example.com:81/a.png", "", "image/png", PAGE, "a web page"),
        ("https://example.com:81", "image/*", "application/xhtml+xml", PROSE, "a web page"),
        ("https://example.com:81/page.html", "video/*", "text/html", PAGE, "a web page"),
        ("https://example.com:81/a.pdf", "", "text/html", PAGE, "a web page"),
        ("https://example.com:81?a", "", "", PAGE, "a web page"),
        ("https://example.com:81/a", "audio/mp3", "application/json", PROSE, "text (application/json)"),
        ("https://example.com:81/a.mp3", "", "text/plain", PROSE, "text (text/plain)"),
    ],
)
async def test_a_page_instead_of_media(url: str, hint: str, said: str, data: bytes, what: str) -> None:
    error = await refusal(call(Text("look"), at(url, hint)), Web({url: (said, data)}))
    assert error.message == f"example.com:81 sent {what} instead of the media. Give the address of the file itself."
    assert (error.param, error.code) == ("messages.0.parts.1", "unsupported_media")


async def test_a_refusal_says_where() -> None:
    url = "https://x/a"

    async def place(asked: Generate, own: str | None = None) -> str | None:
        error = await refusal(asked, Web({url: InvalidRequest("no", param=own, code="media_refused")}))
        assert (error.message, error.code) == ("no", "media_refused")
        return error.param

    assert await place(call(Text("look"), at(url), at(url))) == "messages.0.parts.1"
    result = ToolResult("1", "f", "{}", (Media("", Inline("AAAA")), at(url)))
    assert await place(call(Text("look"), Text("see"), result)) == "messages.0.parts.2"
    assert await place(Generate(model="m", system=(at(url),), messages=())) == "system.0"
    assert await place(call(at(url)), "own") == "own"


async def test_an_error_is_raised_as_it_was() -> None:
    """Of any kind, alone, with its own cause."""
    cause = OSError("no route")

    class Failing:
        async def fetch(self, url: str, /) -> Fetched:
            raise Timeout("slow") from cause

    with pytest.raises(Timeout, match="slow") as caught:
        await brought(call(at("https://x/a"), at("https://x/b")), fetch_all, Failing())
    assert caught.value.__cause__ is cause


def many(number: int) -> list[str]:
    return [f"https://x/{index}.png" for index in range(number)]


class Gated:
    """Holds every request until it is let go; tells what is under way and what was cancelled."""

    def __init__(self) -> None:
        self.under_way: set[str] = set()
        self.cancelled: set[str] = set()
        self.most = 0
        self.full = asyncio.Event()
        self.outcomes: dict[str, asyncio.Future[Fetched]] = {}

    async def fetch(self, url: str, /) -> Fetched:
        self.under_way.add(url)
        self.most = max(self.most, len(self.under_way))
        if len(self.under_way) == AT_ONCE:
            self.full.set()
        self.outcomes[url] = asyncio.get_running_loop().create_future()
        try:
            return await self.outcomes[url]
        except asyncio.CancelledError:
            self.cancelled.add(url)
            raise
        finally:
            self.under_way.remove(url)


async def test_at_most_so_many_at_once() -> None:
    web, urls = Gated(), many(3 * AT_ONCE)
    work = asyncio.create_task(brought(call(*(at(url) for url in urls)), fetch_all, web))
    done: set[str] = set()
    for _ in range(3):
        await web.full.wait()
        web.full.clear()
        assert len(web.under_way) == AT_ONCE and not done & web.under_way
        done |= web.under_way
        for url in web.under_way:
            web.outcomes[url].set_result(Fetched("", memoryview(PNG)))
    made = await work
    assert web.most == AT_ONCE and done == set(urls)
    assert made.messages[0].parts == tuple(Media("image/png", Inline(memoryview(PNG))) for _ in urls)


async def test_one_failure_ends_the_others() -> None:
    web, urls = Gated(), many(2 * AT_ONCE)
    work = asyncio.create_task(brought(call(*(at(url) for url in urls)), fetch_all, web))
    await web.full.wait()
    web.outcomes[urls[3]].set_exception(InvalidRequest("gone"))
    with pytest.raises(InvalidRequest, match="gone") as caught:
        await work
    assert caught.value.param == "messages.0.parts.3"
    assert web.under_way == set()
    assert web.cancelled == {url for url in urls[:AT_ONCE] if url != urls[3]}
    assert set(web.outcomes) == set(urls[:AT_ONCE]), "what had not begun never does"


async def test_a_client_that_leaves_ends_them_all() -> None:
    web, urls = Gated(), many(AT_ONCE)
    work = asyncio.create_task(brought(call(*(at(url) for url in urls)), fetch_all, web))
    await web.full.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert web.cancelled == set(urls) and web.under_way == set()


async def test_too_many_addresses() -> None:
    urls = many(MAX_URLS + 1)
    web = Web(dict.fromkeys(urls, ("", PNG)))
    error = await refusal(call(*(at(url) for url in urls)), web)
    assert (error.code, error.param) == ("too_many_addresses", f"messages.0.parts.{MAX_URLS}")
    assert web.asked == [], "it is known before any is asked"
    with pytest.raises(InvalidRequest, match="more than"):
        stand_ins(call(*(at(url) for url in urls)), fetch_all)
    repeated = [at(urls[0])] * (2 * MAX_URLS)
    await brought(call(*repeated, *(at(url) for url in urls[1:MAX_URLS])), fetch_all, web)
    assert len(web.asked) == MAX_URLS
    by_url = await brought(call(*(at(url) for url in urls)), handing_on(by_url=True), web)
    assert len(by_url.messages[0].parts) == len(urls), "those that go by address do not count"


async def test_too_much_altogether(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = many(3)
    web = Web(dict.fromkeys(urls, ("", PNG)))
    monkeypatch.setattr(bring, "MAX_BASE64_BYTES", 3 * len(PNG))
    await brought(call(*(at(url) for url in urls)), fetch_all, web)
    with pytest.raises(TooLarge):
        await brought(call(*(at(url) for url in urls), at(urls[0])), fetch_all, web)
    with pytest.raises(TooLarge):
        await brought(call(*[at(urls[0])] * 4), fetch_all, web)


def test_stand_ins() -> None:
    film, youtube = "https://x/v.mov", "https://youtu.be/abc"
    asked = call(
        at("https://x/a.gif"), at("https://x/b", "audio/*"), at(film), at("https://x/c"), at("https://x/c"), at(youtube)
    )
    made, urls = stand_ins(asked, handing_on(fetches=True))
    assert made.messages[0].parts == (
        Media("image/gif", Inline("")),
        Media("audio/mp3", Inline("")),
        Media("video/mov", Uri(film)),
        Media("image/jpeg", Inline("")),
        Media("image/jpeg", Inline("")),
        Media("", Uri(youtube)),
    )
    assert urls == ("https://x/a.gif", "https://x/b", "https://x/c")


def test_a_dry_run_refuses_what_fetching_would() -> None:
    def check(url: str) -> None:
        if "private" in url:
            raise InvalidRequest("No.", code="media_refused")

    asked = call(Text("x"), at("https://public.test/"), at("https://private.test/"))
    with pytest.raises(InvalidRequest) as caught:
        stand_ins(asked, fetch_all, check)
    assert (caught.value.code, caught.value.param) == ("media_refused", "messages.0.parts.2")
    assert len(stand_ins(call(at("https://public.test/")), fetch_all, check)[1]) == 1


async def test_of_a_failure_nothing_is_held() -> None:
    """Not even by the rings that errors and the frames they pass make."""
    ended: list[str] = []

    class Held(bytearray):
        def __del__(self) -> None:
            ended.append("good")

    class Half(Web):
        async def fetch(self, url: str, /) -> Fetched:
            if url.endswith("bad"):
                await asyncio.sleep(0)
                raise InvalidRequest("No.")
            return Fetched("image/png", memoryview(Held(PNG)))

    gc.disable()
    try:
        with contextlib.suppress(InvalidRequest):
            await brought(call(at("https://x.test/good"), at("https://x.test/bad")), fetch_all, Half({}))
        assert ended == ["good"]
    finally:
        gc.enable()
