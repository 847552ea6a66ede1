"""`gemgate doctor`: is everything in place, and if not, what to do."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from gemgate.app import new_id
from gemgate.callers.first_key import FILE_NAME
from gemgate.catalog.catalog import Catalog
from gemgate.config import Settings, advice, load
from gemgate.errors import GemgateError, SettingsError
from gemgate.keys.pool import Lease, lease
from gemgate.net.http import HttpClient
from gemgate.net.proxy import Proxies
from gemgate.net.url import split
from gemgate.upstreams.embedded.upstream import EmbeddedUpstream
from gemgate.upstreams.gemini_api.api import GeminiApi
from gemgate.upstreams.refusal import UpstreamRefusal


class Finding(Struct, frozen=True):
    """One thing that was checked; `cure` says what to do if it is not well."""

    well: bool
    what: str
    cure: str = ""


def doctor(environment: Mapping[str, str], flags: Mapping[str, object]) -> int:
    """Check everything and print it; gives 1 if something is not well."""
    sick = 0
    for finding in _findings(environment, flags):
        sick += not finding.well
        print(_line(finding), flush=True)
    print("Everything is in place." if not sick else f"{sick} thing(s) need attention.")
    return 1 if sick else 0


def _line(finding: Finding) -> str:
    mark, colour = ("ok  ", "32") if finding.well else ("FAIL", "31")
    mark = f"\x1b[{colour}m{mark}\x1b[0m" if sys.stdout.isatty() else mark
    return f"{mark}  {finding.what}" + (f"\n      → {finding.cure}" if finding.cure else "")


def _findings(environment: Mapping[str, str], flags: Mapping[str, object]) -> Iterator[Finding]:
    try:
        settings = load(environment, flags)
        Catalog.load(settings.catalog_overrides)
    except SettingsError as error:
        yield Finding(False, "settings", str(error))
        return
    yield Finding(True, "settings")
    for remark in advice(settings):
        yield Finding(False, "settings that look wrong", remark)
    yield _data_folder(settings.data_path)
    yield _client_keys(settings)
    if settings.gemini.api_keys:
        yield from _gemini(settings)
    else:
        yield _embedded(settings)


def _data_folder(path: Path) -> Finding:
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        Path(tempfile.mkdtemp(dir=nearest)).rmdir()  # whether one may, only trying tells
    except OSError as error:
        cure = f"It cannot be written ({error.strerror}). Name another in GEMGATE_DATA_DIR."
        return Finding(False, f"data folder {path}", cure)
    return Finding(True, f"data folder {path}")


def _client_keys(settings: Settings) -> Finding:
    if settings.clients.api_keys:
        return Finding(True, f"client keys: {len(settings.clients.api_keys)} set")
    path = settings.data_path / FILE_NAME
    if not path.exists():
        return Finding(True, "client keys: none set; one will be made at the first start")
    if path.stat().st_mode & 0o077:
        return Finding(False, f"client key in {path}", f"Others can read it. Run: chmod 600 '{path}'")
    return Finding(True, f"client key: in {path}")


def _gemini(settings: Settings) -> Iterator[Finding]:
    origin, _ = split(settings.gemini.base_url)
    proxies = Proxies()
    fault = proxies.fault(origin)
    if fault:
        yield Finding(False, f"proxy for {origin}", fault)
    way = "through a proxy" if proxies.url(origin) else "directly"
    for secret in settings.gemini.api_keys:
        yield asyncio.run(_key(settings, lease(secret), f"{origin} {way}"))


async def _key(settings: Settings, key: Lease, where: str) -> Finding:
    client = HttpClient(settings.gemini.deadlines, Proxies())
    api = GeminiApi(client, settings.gemini.base_url, settings.gemini.api_version, new_id)
    name = f"upstream key {key.id[:8]} at {where}"
    try:
        models = await api.list_models(key)
    except UpstreamRefusal as refusal:
        return Finding(
            False, f"{name}: {refusal.error.message if refusal.kind != 'key' else 'refused'}", _cure(refusal)
        )
    except GemgateError as error:
        return Finding(False, f"{name}: {error.message}", "Is GEMINI_BASE_URL the address of a Gemini API?")
    finally:
        await client.aclose()
    return Finding(True, f"{name}: {len(models)} models")


def _cure(refusal: UpstreamRefusal) -> str:
    match refusal.kind:
        case "key":
            return "Google does not accept this key. Make a new one in AI Studio and put it in GEMINI_API_KEYS."
        case "quota":
            return "Its quota is used up for now. Wait, or add keys of other projects to GEMINI_API_KEYS."
        case "network":
            return "Check the network, GEMINI_BASE_URL and HTTPS_PROXY (a proxy is often needed to reach Google)."
        case "service" | "client" | "model":
            return "Try again in a minute; if it stays so, check GEMINI_BASE_URL."


def _embedded(settings: Settings) -> Finding:
    chosen = settings.embedded
    path = Path(chosen.model_path).expanduser() if chosen.model_path else None
    what = "no upstream key is set, so the embedded model answers"
    try:
        model = asyncio.run(_load(path, chosen.context_tokens))
    except GemgateError as error:
        return Finding(False, what, error.message)
    return Finding(True, f"{what}: {model} loads")


async def _load(path: Path | None, context_tokens: int) -> str:
    upstream = EmbeddedUpstream(path, context_tokens=context_tokens)
    try:
        upstream.start()
        await upstream.wait_ready()
        return upstream.model_name
    finally:
        await upstream.aclose()
