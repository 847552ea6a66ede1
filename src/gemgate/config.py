"""Settings: a TOML file, below environment variables, below flags.

A wrong setting is a `SettingsError` that names its key, where it came from, and the cure.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

import msgspec
from msgspec import Struct, field

from gemgate.errors import SettingsError
from gemgate.media.base64_pieces import encoded_bytes
from gemgate.net.connection import Deadlines
from gemgate.net.url import split

GOOGLE_KEY = re.compile(r"AIza[0-9A-Za-z_-]{35}|AQ\.[0-9A-Za-z_-]{20,}")
CLIENT_KEY = re.compile(r"(?:gg|sk)-.+")
MAX_RETENTION_DAYS = 3650
VERSION_TAIL = re.compile(r"/(?:v1|v1beta|v1alpha)$")

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How gemgate listens."""

    host: str = "127.0.0.1"
    port: int = 7860
    workers: int = 1
    public_url: str = ""
    """Where clients reach this server, if it is not what they ask for (behind a proxy that changes the host)."""
    cors_origins: tuple[str, ...] = ("*",)
    strict: bool = False
    """Refuse what would be dropped, for every request."""
    max_body_bytes: int = 140 * 1024 * 1024
    max_requests: int = 2_000
    """Requests under way at once; beyond it clients are told to come back."""
    keepalive_after_seconds: float = 15.0
    whole_keepalive: bool = False
    """Send white space before an unstreamed answer that takes long; its status is 200 from then on, come what may."""
    drain_seconds: float = 60.0


class Clients(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may use this server."""

    api_keys: tuple[str, ...] = ()


class Gemini(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Gemini API as upstream."""

    api_keys: tuple[str, ...] = ()
    base_url: str = "https://generativelanguage.googleapis.com"
    api_version: str = "v1beta"
    max_attempts: int = 4
    deadlines: Deadlines = Deadlines()


class Embedded(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model inside, which answers when there is no upstream key."""

    model_path: str = ""
    """Another GGUF file than the packaged one."""
    context_tokens: int = 8192
    concurrency: int = 1
    queue_limit: int = 16


class Chat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How chat completions answer."""

    images: Literal["content", "field"] = "content"
    """Images of the answer: markdown in `content`, or entries of `images`; `modalities` of a request overrides it."""


class Responses(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of responses and conversations."""

    retention_days: float = 30.0
    """How long after they were last used; 0 keeps nothing."""


class Media(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Media that are fetched on behalf of clients."""

    allow: tuple[str, ...] = ()
    """Hosts, `host:port`, `*.domain` or networks (`10.0.0.0/8`) that may be private."""
    max_bytes: int = 100 * 1024 * 1024
    max_total_bytes: int = 512 * 1024 * 1024
    """Memory for the base64 of all that is fetched at one time; who finds it used up waits."""
    total_seconds: float = 60.0


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told on standard error."""

    level: LogLevel = "INFO"
    format: Literal["text", "json"] = "text"


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set. `models`, `families` and `aliases` are laid over the built-in catalogue."""

    server: Server = Server()
    clients: Clients = Clients()
    gemini: Gemini = Gemini()
    embedded: Embedded = Embedded()
    chat: Chat = Chat()
    responses: Responses = Responses()
    media: Media = Media()
    log: Log = Log()
    data_dir: str = ""
    models: dict[str, object] = field(default_factory=dict[str, object])
    families: dict[str, object] = field(default_factory=dict[str, object])
    aliases: dict[str, object] = field(default_factory=dict[str, object])

    @property
    def catalog_overrides(self) -> dict[str, object]:
        """What the operator says about models."""
        tables = {"models": self.models, "families": self.families, "aliases": self.aliases}
        return {name: table for name, table in tables.items() if table}

    @property
    def data_path(self) -> Path:
        """The folder for keys and the database."""
        if self.data_dir:
            return Path(self.data_dir).expanduser()
        base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        return Path(base).expanduser() / "gemgate"


VARIABLES = {
    "HOST": ("server", "host"),
    "PORT": ("server", "port"),
    "API_KEYS": ("clients", "api_keys"),
    "GEMINI_BASE_URL": ("gemini", "base_url"),
    "GEMGATE_DATA_DIR": ("data_dir",),
    "GEMGATE_PUBLIC_URL": ("server", "public_url"),
    "GEMGATE_CORS_ORIGINS": ("server", "cors_origins"),
    "GEMGATE_MODEL": ("embedded", "model_path"),
    "GEMGATE_MEDIA_ALLOW": ("media", "allow"),
    "GEMGATE_CHAT_IMAGES": ("chat", "images"),
    "GEMGATE_RESPONSES_RETENTION_DAYS": ("responses", "retention_days"),
    "GEMGATE_ALIASES": ("aliases",),
    "LOG_LEVEL": ("log", "level"),
    "LOG_FORMAT": ("log", "format"),
}
UPSTREAM_KEYS = ("GEMINI_API_KEYS", "GEMINI_API_KEY", "GOOGLE_API_KEY")
LISTS = frozenset({"allow", "api_keys", "cors_origins"})


def load(environment: Mapping[str, str], flags: Mapping[str, object] | None = None) -> Settings:
    """Read the settings; `flags` maps dotted keys (`server.port`) to values that override everything else.

    Raises `SettingsError`.
    """
    flags = {key: value for key, value in (flags or {}).items() if value is not None}
    path = str(flags.pop("config", "")) or environment.get("GEMGATE_CONFIG", "")
    document = _file(Path(path).expanduser()) if path else {}
    origins: dict[str, str] = {}
    for name, keys in VARIABLES.items():
        value = environment.get(name, "")
        if value:
            if keys == ("log", "level"):
                value = {"WARN": "WARNING"}.get(value.upper(), value.upper())
            if keys == ("aliases",):
                for alias, model in _aliases(value).items():
                    _put(document, ("aliases", alias), model)
            else:
                _put(document, keys, _items(value) if keys[-1] in LISTS else value)
            origins[".".join(keys)] = name
    found = [key for name in UPSTREAM_KEYS for key in _items(environment.get(name, ""))]
    if found:
        _put(document, ("gemini", "api_keys"), list(dict.fromkeys(found)))
    for dotted, value in flags.items():
        _put(document, tuple(dotted.split(".")), value)
        origins[dotted] = f"--{dotted.rpartition('.')[2]}"
    return _checked(_converted(document, origins, path))


def _file(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        raise SettingsError("GEMGATE_CONFIG", f"there is no file {path}; create it or unset the variable") from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError("GEMGATE_CONFIG", f"{path} cannot be read as TOML: {error}") from error


def _items(value: str) -> list[str]:
    """Split at commas and white space: a key copied with its line break must not carry it upstream."""
    return [item for item in re.split(r"[,\s]+", value) if item]


def _aliases(value: str) -> dict[str, str]:
    """Read `name=model,other=model`; blanks around the = are let pass."""
    aliases: dict[str, str] = {}
    for item in _items(re.sub(r"\s*=\s*", "=", value)):
        name, _, model = item.partition("=")
        if not name or not model or "=" in model:
            raise SettingsError(
                "aliases", f"{item!r} is no alias (from GEMGATE_ALIASES). Write name=model,other=model."
            )
        if name in aliases:
            raise SettingsError("aliases", f"{name!r} stands there twice (from GEMGATE_ALIASES). Take one away.")
        aliases[name] = model
    return aliases


def _put(document: dict[str, object], keys: tuple[str, ...], value: object) -> None:
    table = document
    for key in keys[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise SettingsError(key, "must be a table")
        table = cast("dict[str, object]", inner)
    table[keys[-1]] = value


def _converted(document: dict[str, object], origins: Mapping[str, str], path: str) -> Settings:
    try:
        return msgspec.convert(document, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$.")
        key = where.rstrip("`") or "settings"
        origin = origins.get(key.partition("[")[0]) or path
        raise SettingsError(key, f"{message} (from {origin}). Correct it or leave it out.") from error


def _checked(settings: Settings) -> Settings:
    server, gemini = settings.server, settings.gemini
    if not 0 <= server.port <= 65535:
        raise SettingsError("server.port", f"{server.port} is no port; choose one from 1 to 65535")
    deadlines, embedded = gemini.deadlines, settings.embedded
    positive: dict[str, float] = {
        "server.workers": server.workers,
        "server.max_requests": server.max_requests,
        "server.max_body_bytes": server.max_body_bytes,
        "server.keepalive_after_seconds": server.keepalive_after_seconds,
        "gemini.max_attempts": gemini.max_attempts,
        "gemini.deadlines.connect_seconds": deadlines.connect_seconds,
        "gemini.deadlines.first_byte_seconds": deadlines.first_byte_seconds,
        "gemini.deadlines.silence_seconds": deadlines.silence_seconds,
        "media.max_bytes": settings.media.max_bytes,
        "media.total_seconds": settings.media.total_seconds,
        "embedded.context_tokens": embedded.context_tokens,
        "embedded.concurrency": embedded.concurrency,
    }
    for key, value in positive.items():
        if value <= 0:
            raise SettingsError(key, f"{value:g} is too little; it must be more than 0")
    days = settings.responses.retention_days
    if not 0 <= days <= MAX_RETENTION_DAYS:
        raise SettingsError(
            "responses.retention_days",
            f"{days:g} is out of range; choose a number of days up to {MAX_RETENTION_DAYS}, or 0 to keep nothing",
        )
    least = encoded_bytes(settings.media.max_bytes)
    if settings.media.max_total_bytes < least:
        raise SettingsError(
            "media.max_total_bytes",
            f"{settings.media.max_total_bytes} is too little for one of media.max_bytes in base64; it must be at least "
            f"{least}",
        )
    for key, keys in (("clients.api_keys", settings.clients.api_keys), ("gemini.api_keys", gemini.api_keys)):
        if any(not re.fullmatch(r"[!-~]+", text) for text in keys):
            raise SettingsError(key, "a key is empty or holds characters that no header can carry; copy it again")
    base_url = gemini.base_url.rstrip("/")
    try:
        origin, target = split(base_url)
    except ValueError as error:
        raise SettingsError("gemini.base_url", f"{error}; it is an address like https://host") from error
    if origin.scheme == "http" and not origin.is_loopback:
        raise SettingsError(
            "gemini.base_url",
            "plain http would show your keys to everyone on the way; use https (http is allowed on this machine only)",
        )
    if "?" in target:
        raise SettingsError("gemini.base_url", "leave the query out; paths are put behind the address")
    # A base URL copied from an SDK's settings often ends in a version.
    return msgspec.structs.replace(
        settings, gemini=msgspec.structs.replace(gemini, base_url=VERSION_TAIL.sub("", base_url))
    )


def advice(settings: Settings) -> list[str]:
    """Say what looks wrong about settings that are valid; shows no secret."""
    said: list[str] = []
    mixed = sum(bool(GOOGLE_KEY.fullmatch(key)) for key in settings.clients.api_keys)
    if mixed:
        said.append(
            f"API_KEYS holds {mixed} key(s) that look like Google's. API_KEYS are the keys your clients send to "
            "gemgate; Google's keys belong in GEMINI_API_KEYS."
        )
    reversed_ = sum(bool(CLIENT_KEY.fullmatch(key)) for key in settings.gemini.api_keys)
    if reversed_:
        said.append(
            f"GEMINI_API_KEYS holds {reversed_} key(s) that do not look like Google's (they begin with gg- or sk-). "
            "Keys of your clients belong in API_KEYS."
        )
    if set(settings.clients.api_keys) & set(settings.gemini.api_keys):
        said.append("The same key stands in API_KEYS and GEMINI_API_KEYS. Give your clients keys of their own.")
    exposed = settings.server.host not in ("127.0.0.1", "localhost", "::1")
    if exposed and any(len(key) < 16 for key in settings.clients.api_keys):
        said.append("A key in API_KEYS is shorter than 16 characters while the server listens beyond this machine.")
    return said
