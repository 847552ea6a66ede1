"""Settings: where they come from, which wins, and what is said about wrong ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gemgate.config import Settings, advice, load
from gemgate.errors import SettingsError

GOOGLE = "AIza" + "B" * 35
GOOGLE_NEW = "AQ." + "c" * 30
Toml = Callable[[str], str]


@pytest.fixture
def toml(tmp_path: Path) -> Toml:
    def write(text: str) -> str:
        path = tmp_path / "gemgate.toml"
        path.write_text(text)
        return str(path)

    return write


def wrong(environment: dict[str, str], flags: dict[str, object] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environment, flags)
    return str(caught.value)


def test_nothing_set() -> None:
    settings = load({})
    assert settings == Settings()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 7860)
    assert settings.gemini.base_url == "https://generativelanguage.googleapis.com"
    assert settings.catalog_overrides == {}
    assert (settings.chat.images, settings.media.allow, settings.server.whole_keepalive) == ("content", (), False)
    assert settings.responses.retention_days == 30
    assert advice(settings) == []


def test_a_flag_beats_a_variable_beats_the_file(toml: Toml) -> None:
    path = toml('[server]\nport = 1000\nhost = "10.0.0.1"\nworkers = 3\n')
    variables = {"GEMGATE_CONFIG": path, "PORT": "2000", "HOST": "10.0.0.2"}
    server = load(variables, {"server.port": 3000, "server.host": None}).server
    assert (server.port, server.host, server.workers) == (3000, "10.0.0.2", 3)


def test_the_files_own_name_may_be_a_flag(toml: Toml, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[server]\nport = 2\n")
    assert load({"GEMGATE_CONFIG": toml("[server]\nport = 1\n")}, {"config": str(other)}).server.port == 2


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("HOST", "0.0.0.0", lambda s: s.server.host == "0.0.0.0"),
        ("PORT", "81", lambda s: s.server.port == 81),
        ("API_KEYS", "a\nb\t c\r\n", lambda s: s.clients.api_keys == ("a", "b", "c")),
        ("GEMINI_API_KEY", "a\n", lambda s: s.gemini.api_keys == ("a",)),
        ("GEMINI_API_KEYS", " a b,\nc", lambda s: s.gemini.api_keys == ("a", "b", "c")),
        ("API_KEYS", "a, b,,c ", lambda s: s.clients.api_keys == ("a", "b", "c")),
        ("GEMINI_API_KEYS", "a,b", lambda s: s.gemini.api_keys == ("a", "b")),
        ("GEMINI_API_KEY", "a", lambda s: s.gemini.api_keys == ("a",)),
        ("GOOGLE_API_KEY", "a", lambda s: s.gemini.api_keys == ("a",)),
        ("GEMINI_BASE_URL", "https://x.test/p", lambda s: s.gemini.base_url == "https://x.test/p"),
        ("GEMGATE_DATA_DIR", "/d", lambda s: s.data_path == Path("/d")),
        ("GEMGATE_PUBLIC_URL", "https://p", lambda s: s.server.public_url == "https://p"),
        ("GEMGATE_CORS_ORIGINS", "https://a,https://b", lambda s: s.server.cors_origins == ("https://a", "https://b")),
        ("GEMGATE_MODEL", "m.gguf", lambda s: s.embedded.model_path == "m.gguf"),
        (
            "GEMGATE_MEDIA_ALLOW",
            "a.lan, *.b:80\n10.0.0.0/8",
            lambda s: s.media.allow == ("a.lan", "*.b:80", "10.0.0.0/8"),
        ),
        ("GEMGATE_CHAT_IMAGES", "field", lambda s: s.chat.images == "field"),
        ("GEMGATE_RESPONSES_RETENTION_DAYS", "0.5", lambda s: s.responses.retention_days == 0.5),
        ("GEMGATE_RESPONSES_RETENTION_DAYS", "0", lambda s: s.responses.retention_days == 0),
        ("GEMGATE_ALIASES", "a.*=b, c = d-search\n", lambda s: s.aliases == {"a.*": "b", "c": "d-search"}),
        ("LOG_LEVEL", "debug", lambda s: s.log.level == "DEBUG"),
        ("LOG_LEVEL", "warn", lambda s: s.log.level == "WARNING"),
        ("LOG_LEVEL", "Warning", lambda s: s.log.level == "WARNING"),
        ("LOG_FORMAT", "json", lambda s: s.log.format == "json"),
    ],
)
def test_every_variable(name: str, text: str, read: Callable[[Settings], bool]) -> None:
    assert not read(load({}))
    assert read(load({name: text}))
    assert load({name: ""}) == load({})  # set to nothing is not set


def test_upstream_keys_add_up_without_doubles(toml: Toml) -> None:
    variables = {"GOOGLE_API_KEY": "c", "GEMINI_API_KEY": "a", "GEMINI_API_KEYS": "a,b"}
    assert load(variables).gemini.api_keys == ("a", "b", "c")
    path = toml('[gemini]\napi_keys = ["file"]\n')
    assert load({"GEMGATE_CONFIG": path}).gemini.api_keys == ("file",)
    assert load({"GEMGATE_CONFIG": path} | variables).gemini.api_keys == ("a", "b", "c")


def test_everything_can_stand_in_the_file(toml: Toml) -> None:
    path = toml(
        'data_dir = "~/x"\n[server]\nstrict = true\nwhole_keepalive = true\n'
        "[gemini.deadlines]\nsilence_seconds = 5\n"
        '[embedded]\nconcurrency = 2\n[log]\nformat = "json"\n[aliases]\nfast = "some-model"\n'
        '[chat]\nimages = "field"\n[responses]\nretention_days = 3650\n'
        '[media]\nallow = ["a.lan"]\nmax_bytes = 5\ntotal_seconds = 1.5\n'
    )
    settings = load({"GEMGATE_CONFIG": path})
    assert settings.server.strict and settings.server.whole_keepalive and settings.embedded.concurrency == 2
    assert settings.gemini.deadlines.silence_seconds == 5.0
    assert settings.gemini.deadlines.connect_seconds == 10.0
    assert settings.catalog_overrides == {"aliases": {"fast": "some-model"}}
    assert settings.data_path == Path.home() / "x"
    assert settings.chat.images == "field"
    assert settings.responses.retention_days == 3650
    assert (settings.media.allow, settings.media.max_bytes, settings.media.total_seconds) == (("a.lan",), 5, 1.5)


def test_aliases_of_the_variable_are_laid_over_those_of_the_file(toml: Toml) -> None:
    path = toml('[aliases]\na = "one"\nb = "two"\n')
    settings = load({"GEMGATE_CONFIG": path, "GEMGATE_ALIASES": "b=three,c=four"})
    assert settings.catalog_overrides == {"aliases": {"a": "one", "b": "three", "c": "four"}}


@pytest.mark.parametrize("text", ["a", "=a", "a=", "a=b=c", "a=b,,c", "a b"])
def test_aliases_that_are_none(text: str) -> None:
    said = wrong({"GEMGATE_ALIASES": text})
    assert said.startswith("aliases: ") and "(from GEMGATE_ALIASES)" in said and "Write name=model" in said


def test_an_alias_that_stands_twice() -> None:
    said = wrong({"GEMGATE_ALIASES": "a=b,a=c"})
    assert said.startswith("aliases: ") and "twice (from GEMGATE_ALIASES)" in said


def test_where_data_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert load({}).data_path == tmp_path / "gemgate"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert load({}).data_path == Path.home() / ".local/share/gemgate"


# Wrong ones: the key, where it came from, and the cure.


@pytest.mark.parametrize(
    ("variables", "key", "name"),
    [
        ({"PORT": "abc"}, "server.port", "PORT"),
        ({"LOG_LEVEL": "loud"}, "log.level", "LOG_LEVEL"),
        ({"LOG_FORMAT": "xml"}, "log.format", "LOG_FORMAT"),
        ({"GEMGATE_CHAT_IMAGES": "attic"}, "chat.images", "GEMGATE_CHAT_IMAGES"),
        ({"GEMGATE_RESPONSES_RETENTION_DAYS": "long"}, "responses.retention_days", "GEMGATE_RESPONSES_RETENTION_DAYS"),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], key: str, name: str) -> None:
    said = wrong(variables)
    assert said.startswith(f"{key}: ") and f"(from {name})" in said and "Correct it" in said


@pytest.mark.parametrize("name", ["API_KEYS", "GEMINI_API_KEY"])
def test_a_key_that_no_header_can_carry_is_refused_unshown(name: str) -> None:
    said = wrong({name: "good,hünter2"})
    assert "no header can carry" in said and "nter2" not in said


def test_a_wrong_line_of_the_file_is_not_blamed_on_a_variable(toml: Toml) -> None:
    path = toml('[server]\nport = "x"\n')
    said = wrong({"GEMGATE_CONFIG": path})
    assert said.startswith("server.port: ") and f"(from {path})" in said
    assert "(from --port)" in wrong({"GEMGATE_CONFIG": path, "PORT": "80"}, {"server.port": "y"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[server]\nprot = 1\n", ("prot", "server")),
        ("[servers]\nport = 1\n", ("servers",)),
        ("[gemini.deadlines]\nsilence = 1\n", ("silence", "gemini.deadlines")),
        ("[server]\nport = 1.5\n", ("server.port",)),
        ('[clients]\napi_keys = "one"\n', ("clients.api_keys", "array")),
        ("[clients]\napi_keys = [1, 2]\n", ("clients.api_keys",)),
        ("[log]\nlevel = 'info'\n", ("log.level",)),
        ("server = 3\n", ("server",)),
        ("[models]\n[server]\nport = -1\n", ("server.port", "1 to 65535")),
        ("[server]\nport = 65536\n", ("server.port", "65536")),
        ("[server]\nworkers = 0\n", ("server.workers", "more than 0")),
        ("[gemini]\nmax_attempts = 0\n", ("gemini.max_attempts", "more than 0")),
        ("[server]\nmax_requests = 0\n", ("server.max_requests", "more than 0")),
        ("[server]\nmax_body_bytes = 0\n", ("server.max_body_bytes", "more than 0")),
        ("[server]\nkeepalive_after_seconds = 0\n", ("server.keepalive_after_seconds", "more than 0")),
        ("[gemini.deadlines]\nconnect_seconds = 0\n", ("gemini.deadlines.connect_seconds", "more than 0")),
        ("[gemini.deadlines]\nfirst_byte_seconds = -1\n", ("gemini.deadlines.first_byte_seconds", "more than 0")),
        ("[gemini.deadlines]\nsilence_seconds = 0\n", ("gemini.deadlines.silence_seconds", "more than 0")),
        ("[media]\nmax_bytes = 0\n", ("media.max_bytes", "more than 0")),
        ("[media]\nmax_bytes = 3000\nmax_total_bytes = 3999\n", ("media.max_total_bytes", "at least 4000")),
        ("[media]\ntotal_seconds = -1\n", ("media.total_seconds", "more than 0")),
        ("[media]\nallow = 'a.lan'\n", ("media.allow", "array")),
        ("[chat]\nimages = 'attic'\n", ("chat.images",)),
        ("[chat]\npictures = 'field'\n", ("pictures", "chat")),
        ("[responses]\nretention_days = -0.5\n", ("responses.retention_days", "-0.5", "up to 3650, or 0")),
        ("[responses]\nretention_days = 3650.5\n", ("responses.retention_days", "3650.5", "up to 3650, or 0")),
        ("[responses]\nretention_days = nan\n", ("responses.retention_days", "up to 3650, or 0")),
        ("[responses]\nretention = 1\n", ("retention", "responses")),
        ("[server]\nwhole_keepalive = 'often'\n", ("server.whole_keepalive",)),
        ("[embedded]\ncontext_tokens = 0\n", ("embedded.context_tokens", "more than 0")),
        ("[embedded]\nconcurrency = -2\n", ("embedded.concurrency", "-2", "more than 0")),
        ('[clients]\napi_keys = [""]\n', ("clients.api_keys", "no header can carry")),
        ('[clients]\napi_keys = ["good", "b\u00e4d"]\n', ("clients.api_keys", "no header can carry")),
        ('[gemini]\napi_keys = ["AIza\\n"]\n', ("gemini.api_keys", "no header can carry")),
        ('[gemini]\napi_keys = ["AIza x"]\n', ("gemini.api_keys", "no header can carry")),
        ("[server\n", ("GEMGATE_CONFIG", "TOML", "gemgate.toml")),
    ],
)
def test_wrong_lines_of_the_file(toml: Toml, text: str, names: tuple[str, ...]) -> None:
    said = wrong({"GEMGATE_CONFIG": toml(text)})
    assert all(name in said for name in names), said


def test_a_table_that_is_none(toml: Toml) -> None:
    assert wrong({"GEMGATE_CONFIG": toml("server = 3\n"), "PORT": "80"}).startswith("server: must be a table")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    said = wrong({"GEMGATE_CONFIG": str(tmp_path / "no.toml")})
    assert said.startswith("GEMGATE_CONFIG: ") and "no.toml" in said and "create it or unset" in said
    assert "cannot be read" in wrong({}, {"config": str(tmp_path)})


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://host", "https://host"),
        ("https://host/", "https://host"),
        ("https://host/v1beta", "https://host"),
        ("https://host/v1/", "https://host"),
        ("https://host/path/v1alpha", "https://host/path"),
        ("https://host/v2", "https://host/v2"),
        ("https://host/av1", "https://host/av1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1/v1beta/", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_base_urls(url: str, kept: str) -> None:
    assert load({"GEMINI_BASE_URL": url}).gemini.base_url == kept


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://host", "use https"),
        ("http://10.0.0.1", "use https"),
        ("http://127.0.0.1.evil.test", "use https"),
        ("ftp://host", "https://host"),
        ("host", "https://host"),
        ("https://host:port", "https://host"),
        ("https://user:hunter2@host", "user name or password"),
        ("user:hunter2@host", "https://host"),
        ("https://host/p?key=hunter2", "leave the query out"),
    ],
)
def test_base_urls_that_are_refused(url: str, reason: str) -> None:
    said = wrong({"GEMINI_BASE_URL": url})
    assert said.startswith("gemini.base_url: ") and reason in said
    assert "hunter2" not in said


# Advice.


@pytest.mark.parametrize(
    ("variables", "parts"),
    [
        ({"API_KEYS": f"{GOOGLE},{GOOGLE_NEW},gg-own"}, ("API_KEYS holds 2 key(s)", "GEMINI_API_KEYS")),
        ({"GEMINI_API_KEYS": "sk-secret-one,gg-secret-two"}, ("GEMINI_API_KEYS holds 2", "belong in API_KEYS")),
        ({"API_KEYS": "shared-secret", "GEMINI_API_KEY": "shared-secret"}, ("same key",)),
        ({"API_KEYS": "secret", "HOST": "0.0.0.0"}, ("shorter than 16",)),
    ],
)
def test_advice_names_no_secret(variables: dict[str, str], parts: tuple[str, ...]) -> None:
    said = "\n".join(advice(load(variables)))
    assert all(part in said for part in parts), said
    for name, value in variables.items():
        if name != "HOST":
            assert not any(key in said for key in value.split(","))


def test_no_advice_where_all_is_well() -> None:
    assert advice(load({"API_KEYS": "short", "GEMINI_API_KEY": GOOGLE})) == []
    assert advice(load({"API_KEYS": "x" * 16, "HOST": "0.0.0.0", "GEMINI_API_KEY": GOOGLE_NEW})) == []
