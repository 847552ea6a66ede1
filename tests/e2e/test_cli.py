"""The command line: what it says, how it ends, and that it ends well."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gemgate import __version__
from tests.bed.gateway import free_port, running_gateway
from tests.bed.recordings import ROOT
from tests.bed.upstream import FakeUpstream, Gate, error, json_reply, part_chunk, sse, stall, text_chunks
from tests.bed.wire import fetch
from tests.e2e.bed import CALLER, CHAT, Bed, measured, running_bed, until

GOOGLE_LOOKING = "AIza" + "Sy" * 17 + "x"


def _run(
    *arguments: str, tmp_path: Path, env: dict[str, str] | None = None, said: str = "", timeout: float = 30
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT / "src"),
        "GEMGATE_DATA_DIR": str(tmp_path / "data"),
    } | (env or {})
    command = [sys.executable, "-m", "gemgate", *arguments]
    return subprocess.run(
        command, env=environment, cwd=tmp_path, input=said, capture_output=True, text=True, timeout=timeout, check=False
    )


def test_version_and_help(tmp_path: Path) -> None:
    done = _run("--version", tmp_path=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, f"gemgate {__version__}")
    told = _run("--help", tmp_path=tmp_path)
    assert told.returncode == 0 and all(
        word in told.stdout
        for word in (
            "serve",
            "doctor",
            "translate",
            "GEMINI_API_KEYS",
            "API_KEYS",
            "GEMGATE_CHAT_IMAGES",
            "GEMGATE_RESPONSES_RETENTION_DAYS",
        )
    )
    shown = _run("translate", "--help", tmp_path=tmp_path)
    assert all(path in shown.stdout for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages"))
    serve = _run("serve", "--help", tmp_path=tmp_path)
    assert all(flag in serve.stdout for flag in ("--host", "--port", "--config", "--workers", "--reload"))
    for arguments in ((), ("dance",), ("serve", "--port", "x")):
        done = _run(*arguments, tmp_path=tmp_path)
        assert done.returncode == 2 and "usage:" in done.stderr


# ── doctor ──


def test_doctor_of_a_healthy_house(tmp_path: Path) -> None:
    with FakeUpstream.in_thread({"A", "B"}) as up:
        env = {"GEMINI_API_KEYS": "A,B", "GEMINI_BASE_URL": up.base_url}
        done = _run("doctor", tmp_path=tmp_path, env=env)
        assert done.returncode == 0 and "Everything is in place" in done.stdout, done.stdout + done.stderr
        assert done.stdout.count(f"{len(up.routes.models)} models") == 2
        assert [request.method for request in up.requests] == ["GET", "GET"]


def test_doctor_finds_a_wrong_key(tmp_path: Path) -> None:
    with FakeUpstream.in_thread({"A"}) as up:
        env = {"GEMINI_API_KEYS": "A,wrong-secret-key", "GEMINI_BASE_URL": up.base_url}
        done = _run("doctor", tmp_path=tmp_path, env=env)
        assert done.returncode == 1 and "1 thing(s)" in done.stdout and "GEMINI_API_KEYS" in done.stdout
        assert "wrong-secret-key" not in done.stdout + done.stderr
        up.always = error(429, "slow", retry_delay="9s")
        done = _run("doctor", tmp_path=tmp_path, env=env | {"GEMINI_API_KEYS": "A"})
        assert done.returncode == 1 and "quota" in done.stdout


def test_doctor_finds_nobody_there(tmp_path: Path) -> None:
    env = {"GEMINI_API_KEYS": "A", "GEMINI_BASE_URL": f"http://127.0.0.1:{free_port()}"}
    done = _run("doctor", tmp_path=tmp_path, env=env)
    assert done.returncode == 1 and "GEMINI_BASE_URL" in done.stdout and "Traceback" not in done.stderr


def test_doctor_tries_the_embedded_model(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    done = _run("doctor", tmp_path=tmp_path)
    assert done.returncode == 0 and "embedded model" in done.stdout, done.stdout + done.stderr


def test_doctor_looks_at_files(tmp_path: Path) -> None:
    with FakeUpstream.in_thread({"A"}) as up:
        env = {"GEMINI_API_KEYS": "A", "GEMINI_BASE_URL": up.base_url}
        data = tmp_path / "data"
        data.mkdir()
        (data / "client-key").write_text("gg-x")
        (data / "client-key").chmod(0o644)
        done = _run("doctor", tmp_path=tmp_path, env=env)
        assert done.returncode == 1 and "chmod 600" in done.stdout


WRONG: list[tuple[str, str]] = [
    ("[server]\nport = 99999\n", "server.port"),
    ("[server]\nprot = 1\n", "prot"),
    ("[gemini.deadlines]\nfirst_byte_seconds = 'soon'\n", "gemini.deadlines.first_byte_seconds"),
    ("[gemini]\nbase_url = 'http://far.example'\n", "gemini.base_url"),
    ("[log]\nlevel = 'LOUD'\n", "log.level"),
    ("not toml", "GEMGATE_CONFIG"),
    ("[aliases]\na = 'b'\nb = 'a'\n", "aliases"),
    ("[server]\nworkers = 0\n", "server.workers"),
]


@pytest.mark.parametrize(("toml", "key"), WRONG, ids=[key for _, key in WRONG])
def test_wrong_settings_are_named(tmp_path: Path, toml: str, key: str) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text(toml)
    env = {"GEMINI_API_KEYS": "A", "API_KEYS": "k"}
    served = _run("serve", "--config", str(config), tmp_path=tmp_path, env=env)
    assert served.returncode == 2 and key in served.stderr and "Traceback" not in served.stderr
    examined = _run("doctor", "--config", str(config), tmp_path=tmp_path, env=env)
    assert examined.returncode == 1 and key in examined.stdout and "Traceback" not in examined.stderr


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"GEMINI_BASE_URL": "ftp://x"}, "base_url"),
        ({"GEMGATE_CONFIG": "/nowhere.toml"}, "GEMGATE_CONFIG"),
        ({"GEMGATE_DATA_DIR": "/proc/nothing"}, "GEMGATE_DATA_DIR"),
        ({"HOST": "203.0.113.7"}, "HOST"),
    ],
)
def test_wrong_variables_are_named(tmp_path: Path, env: dict[str, str], named: str) -> None:
    base = {"GEMINI_API_KEYS": "A", "PORT": str(free_port())}
    done = _run("serve", tmp_path=tmp_path, env=base | env)
    assert done.returncode == 2 and named in done.stderr and "Traceback" not in done.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = _run("serve", "--port", port, tmp_path=tmp_path, env={"API_KEYS": "k", "GEMINI_API_KEYS": "A"})
    assert done.returncode == 2 and port in done.stderr and "in use" in done.stderr


# ── translate ──


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


async def test_translate_prints_what_the_server_shows(tmp_path: Path) -> None:
    """From standard input and from a file; it calls nobody, starts nothing and leaves nothing behind."""
    body = CHAT | {"model": "gemini-2.5-flash-thinking", "logit_bias": {"1": 2}, "n": 2}
    native = {"contents": [{"parts": [{"text": "hi"}]}]}
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    with running_bed() as bed:
        env = {"GEMINI_API_KEYS": "secret-key", "GEMINI_BASE_URL": bed.up.base_url}
        shown = await bed.ask("POST", "/v1/translate", {"body": body})
        shown_native = await bed.ask("POST", "/v1/translate", {"body": native, "path": path})
        (tmp_path / "native.json").write_text(json.dumps(native))
        before, connections = _files(tmp_path), bed.up.connections
        chat = _run("translate", tmp_path=tmp_path, env=env, said=json.dumps(body))
        dashed = _run("translate", "-", tmp_path=tmp_path, env=env, said=json.dumps(body))
        from_file = _run("translate", "--path", path, "native.json", tmp_path=tmp_path, env=env)
        assert (bed.up.connections, bed.up.requests) == (connections, [])
    assert (chat.returncode, chat.stderr) == (0, "") and json.loads(chat.stdout) == shown.json
    assert dashed.stdout == chat.stdout and json.loads(from_file.stdout) == shown_native.json
    assert "\x1b" not in chat.stdout and chat.stdout.count("\n") > 10 and "secret-key" not in chat.stdout
    assert _files(tmp_path) == before


def test_translate_without_any_key_is_for_the_embedded_model(tmp_path: Path) -> None:
    done = _run("translate", tmp_path=tmp_path, said=json.dumps(CHAT))
    assert done.returncode == 0 and json.loads(done.stdout)["upstream"] == "embedded"
    assert _files(tmp_path) == set()


@pytest.mark.parametrize(
    ("arguments", "said", "told"),
    [
        ((), json.dumps(CHAT | {"messages": []}), "(messages)"),
        ((), json.dumps(CHAT | {"temperature": "hot"}), "(temperature)"),
        ((), "{", "not JSON"),
        ((), "", "there is no request"),
        ((), "[" * 100_000, "not JSON"),
        (("--path", "/v1/dance"), json.dumps(CHAT), "/v1/dance"),
        ((), '{"model": "m", "input": "hi"}', "(messages) For a Responses request say --path /v1/responses."),
        (("--path", "/v1/responses"), json.dumps(CHAT), "messages is Chat's; here it is input. (input)"),
        (("nowhere.json",), "", "nowhere.json cannot be read"),
        ((".",), "", ". cannot be read"),
    ],
)
def test_translate_tells_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], said: str, told: str) -> None:
    done = _run("translate", *arguments, tmp_path=tmp_path, env={"GEMINI_API_KEYS": "A"}, said=said)
    assert done.returncode == 1 and done.stdout == "" and told in done.stderr
    assert done.stderr.startswith("gemgate: ") and done.stderr.count("\n") == 1


def test_translate_with_wrong_settings(tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    for text, key in (("[media]\nallow = ['a b']\n", "media.allow"), ("[chat]\nimages = 'attic'\n", "chat.images")):
        config.write_text(text)
        arguments = ("translate", "--config", str(config))
        done = _run(*arguments, tmp_path=tmp_path, env={"GEMINI_API_KEYS": "A"}, said=json.dumps(CHAT))
        assert done.returncode == 2 and key in done.stderr and "Traceback" not in done.stderr


# ── what it says ──


async def test_the_banner_with_set_keys() -> None:
    with running_bed() as bed:
        said = bed.gateway.log()
    assert CALLER not in said and "2 key(s)" in said and "client keys: 2" in said and f"curl {bed.url}" in said
    assert f'\n  ANTHROPIC_BASE_URL={bed.url} ANTHROPIC_AUTH_TOKEN="YOUR_CLIENT_KEY" claude\n' in said
    assert "YOUR_CLIENT_KEY" in said


async def test_keys_in_the_wrong_place_are_noticed() -> None:
    with running_bed({"API_KEYS": GOOGLE_LOOKING}) as bed:
        await until(lambda: "GEMINI_API_KEYS" in bed.gateway.log())
        assert GOOGLE_LOOKING not in bed.gateway.log()
        assert "! API_KEYS holds 1 key(s) that look like Google's" in bed.gateway.log()
    with running_bed(keys="sk-something-long") as bed:
        await until(lambda: "! GEMINI_API_KEYS holds 1 key(s)" in bed.gateway.log())
        assert "sk-something-long" not in bed.gateway.log()


async def test_the_banners_curl_works(tmp_path: Path) -> None:
    with FakeUpstream.in_thread({"A"}) as up:
        env = {"API_KEYS": "", "GEMINI_API_KEYS": "A", "GEMGATE_DATA_DIR": str(tmp_path)}
        for _ in range(2):
            with running_gateway(env, upstream=up.base_url) as gateway:
                said = gateway.log()
                assert "\n  curl " in said
                command = re.split(r"\n(?=\S)", said[said.index("  curl ") :])[0]
                done = subprocess.run(
                    ["sh", "-c", command + " -sS"], capture_output=True, text=True, timeout=20, check=False
                )
                assert '"object":"chat.completion"' in done.stdout, done.stderr


CODEX = """\
#!/bin/sh
printf '%s\\n' "$GEMGATE_KEY" "$@"
"""


@pytest.mark.parametrize(("language", "told"), [("C.UTF-8", "Or Codex:"), ("zh_CN.UTF-8", "或用 Codex:")])
async def test_the_banners_codex_is_told_all(tmp_path: Path, language: str, told: str) -> None:
    """The command is pasted into a shell as it is; what Codex would read there leads to an answer."""
    program = tmp_path / "codex"
    program.write_text(CODEX)
    program.chmod(0o755)
    with running_bed({"API_KEYS": "", "GEMGATE_DATA_DIR": str(tmp_path / "data dir"), "LANG": language}) as bed:
        said = bed.gateway.log()
        command = re.split(r"\n(?=\S)", said.partition(f"{told}\n")[2])[0]
        bed.gateway.stop()
    with running_bed({"API_KEYS": "", "GEMGATE_DATA_DIR": str(tmp_path / "data dir"), "LANG": language}) as bed:
        later = re.split(r"\n(?=\S)", bed.gateway.log().partition(f"{told}\n")[2])[0]
        heard = [_codex(tmp_path, each) for each in (command, later)]
        assert heard[0] == heard[1] | {"base_url": heard[0]["base_url"]}
        body = {"model": heard[1].pop("model"), "input": "hi"}
        headers = {"authorization": f"Bearer {heard[1].pop('key')}"}
        assert heard[1].pop("base_url") == f"{bed.url}/v1"
        assert heard[1] == {"name": "gemgate", "env_key": "GEMGATE_KEY", "wire_api": "responses"}
        answer = await bed.ask("POST", "/v1/responses", body, headers, key=None)
        assert answer.status == 200 and answer.json["status"] == "completed"


def _codex(folder: Path, command: str) -> dict[str, str]:
    """Run a command with a `codex` that is in a folder; give what it is told of its provider, model and key."""
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=20, check=True
    )
    key, *arguments = done.stdout.splitlines()
    flags = list(zip(arguments[::2], arguments[1::2], strict=True))
    assert [name for name, _ in flags] == ["-m", "-c", "-c"] and flags[1][1] == "model_provider=gemgate"
    provider: dict[str, str] = tomllib.loads(flags[2][1])["model_providers"]["gemgate"]
    return provider | {"model": flags[0][1], "key": key}


async def test_it_is_up_in_a_second() -> None:
    took: list[float] = []
    for _ in range(2):
        began = time.monotonic()
        with running_bed():
            took.append(time.monotonic() - began)
    measured(f"start to first 200 on /health, before Gemini: {', '.join(f'{one:.2f}' for one in took)} s")
    assert min(took) < 2


# ── what settings do ──


async def test_white_space_before_a_late_answer() -> None:
    """The status is 200 by then, even of an error; the body is JSON either way."""
    with running_bed(toml="[server]\nwhole_keepalive = true\nkeepalive_after_seconds = 0.02\n") as bed:
        for late in (json_reply(part_chunk({"text": "late"}, finish="STOP")), error(400, "The request is bad.")):
            gate = Gate()
            bed.up.answer(stall(gate, late))
            async with bed.open("POST", "/v1/chat/completions", CHAT) as (_, answer):
                assert (answer.status, answer.header("content-type")) == (200, "application/json")
                pieces = answer.pieces()
                assert await anext(pieces) == b" "
                gate.open()
                document = json.loads(b"".join([piece async for piece in pieces]))
            if "error" in document:
                assert "The request is bad." in document["error"]["message"]
            else:
                assert document["choices"][0]["message"]["content"] == "late"
        assert (await bed.chat()).body.startswith(b"{"), "an answer in time has nothing before it"


async def test_where_images_of_answers_go() -> None:
    with running_bed({"GEMGATE_CHAT_IMAGES": "field"}) as bed:
        message = (await bed.chat(model="gemini-2.5-flash-image")).json["choices"][0]["message"]
        assert message["images"][0]["image_url"]["url"].startswith("data:image/png;base64,")
        assert "base64" not in message["content"]


# ── how it ends ──


async def test_it_drains() -> None:
    gate = Gate(1)
    with running_bed() as bed:
        bed.up.always = sse(text_chunks("one ", "two ", "three"), gate=gate)
        async with bed.open("POST", "/v1/chat/completions", CHAT | {"stream": True}) as (_, answer):
            events = answer.events()
            while "one" not in (await anext(events))[1]:
                pass
            assert (await bed.ask("GET", "/ready", key=None)).status == 200
            bed.gateway.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                while (await bed.ask("GET", "/ready", key=None)).status != 503:
                    await asyncio.sleep(0.01)
            assert (await bed.ask("GET", "/health", key=None)).status == 200
            assert bed.gateway.process.poll() is None
            gate.open()
            rest = [data async for name, data in events if name != ":"]
            assert "three" in "".join(rest) and rest[-1] == "[DONE]"
        assert await asyncio.to_thread(bed.gateway.process.wait, 10) == 0
        assert "Traceback" not in bed.gateway.log()


async def test_a_second_signal_ends_at_once() -> None:
    with running_bed(toml="[server]\ndrain_seconds = 60\n") as bed:
        bed.up.always = stall()
        asked = asyncio.create_task(bed.chat())
        await bed.up.received(1)
        bed.gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            while (await bed.ask("GET", "/ready", key=None)).status != 503:
                await asyncio.sleep(0.01)
        bed.gateway.process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(bed.gateway.process.wait, 3) == 0
        await asyncio.gather(asked, return_exceptions=True)
        assert await bed.up.last.gone.wait(5)


async def test_the_drain_has_an_end() -> None:
    with running_bed(toml="[server]\ndrain_seconds = 0.3\n") as bed:
        bed.up.always = stall()
        asked = asyncio.create_task(bed.chat())
        await bed.up.received(1)
        assert await asyncio.to_thread(bed.gateway.stop, 12) == 0
        await asyncio.gather(asked, return_exceptions=True)


async def test_ctrl_c_ends_it_well() -> None:
    with running_bed() as bed:
        assert (await bed.chat()).status == 200
        bed.gateway.process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(bed.gateway.process.wait, 10) == 0
        assert "Traceback" not in bed.gateway.log()


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are read from /proc")
async def test_two_workers() -> None:
    with FakeUpstream.in_thread({"A"}) as up:
        env = {"GEMINI_API_KEYS": "A", "API_KEYS": CALLER}
        with running_gateway(env, upstream=up.base_url, arguments=("serve", "--workers", "2")) as gateway:
            bed = Bed(up, gateway)
            answers = await asyncio.gather(*(bed.chat() for _ in range(20)))
            assert {answer.status for answer in answers} == {200}
            made = await bed.ask("POST", "/v1beta/cachedContents", {"model": "models/gemini-2.5-flash"})
            name = made.json["name"]
            got = await asyncio.gather(*(bed.ask("GET", f"/v1beta/{name}") for _ in range(20)))
            assert {answer.status for answer in got} == {200}, "a worker does not know what the other has made"
            children = _children(gateway.process.pid)
            assert len(children) >= 2
            assert await asyncio.to_thread(gateway.stop) == 0
            await until(lambda: all(_is_over(pid) for pid in children))
            assert "Traceback" not in gateway.log()


def _is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def test_flags_beat_the_environment(tmp_path: Path) -> None:
    port = free_port()
    with FakeUpstream.in_thread({"A"}) as up:
        how: Any = {"env": {"GEMINI_API_KEYS": "A", "PORT": str(port)}, "upstream": up.base_url}
        config = tmp_path / "one.toml"
        config.write_text("[server]\nport = 1\ncors_origins = ['https://a.example']\n")
        with running_gateway(arguments=("serve", "--port", str(port), "--config", str(config)), **how) as gateway:
            reply, _ = await fetch("GET", f"{gateway.base_url}/health", {"Origin": "https://b.example"})
            assert reply.status == 200 and reply.header("access-control-allow-origin") is None
