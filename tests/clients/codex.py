"""Codex, set up as its users do to reach a gateway."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.clients.bed import KEY, Bed, Json
from tests.clients.installing import NotInstalled, from_npm, installed
from tests.clients.running import Ran, Running, running

PACKAGE = Path(__file__).parent / "node" / "codex"
MODEL = "gemini-3.8-flash"
PROVIDER = "gateway"

SETTINGS = """\
model = "{model}"
model_provider = "{provider}"
check_for_update_on_startup = false

[model_providers.{provider}]
name = "{provider}"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "GATEWAY_KEY"
supports_websockets = {socket}
request_max_retries = 2
stream_max_retries = 2
stream_idle_timeout_ms = 20000

[analytics]
enabled = false

# All of these ask for things on the network.
[features]
plugins = false
remote_plugin = false
plugin_sharing = false
apps = false
skill_search = false
unbounded_connection_retries = false
"""


def install() -> Path:
    """Return the program; raises `NotInstalled`."""
    locks = [PACKAGE / "package.json", PACKAGE / "package-lock.json"]
    place = installed("codex", locks, from_npm(PACKAGE))
    # The package itself is a launcher for Node: the program is in the platform's own.
    found = [path for path in place.glob("node_modules/@openai/codex-*/vendor/*/bin/codex*") if path.stem == "codex"]
    if not found:
        raise NotInstalled("Codex has no program for this platform")
    return found[0]


@dataclass(frozen=True)
class Told:
    """What a run has told in its JSON lines."""

    ran: Ran
    lines: tuple[Json, ...]

    @property
    def items(self) -> list[Json]:
        """What it has done, each when it was done."""
        return [line["item"] for line in self.lines if line["type"] == "item.completed"]

    @property
    def answer(self) -> str:
        """The last that the model has said."""
        return next((item["text"] for item in reversed(self.items) if item["type"] == "agent_message"), "")

    @property
    def usage(self) -> Json:
        """What the turn has used."""
        return next(line["usage"] for line in self.lines if line["type"] == "turn.completed")

    @property
    def failure(self) -> str:
        """Why the turn has failed; empty if it has not."""
        return next((line["error"]["message"] for line in self.lines if line["type"] == "turn.failed"), "")


class Codex:
    """One user's Codex: a home and a folder to work in. With `socket` it asks over a WebSocket."""

    def __init__(self, program: Path, bed: Bed, folder: Path, *, socket: bool) -> None:
        self.program = program
        self._bed = bed
        self.socket = socket
        self.home = folder / "home"
        self.work = folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        settings = SETTINGS.format(model=MODEL, provider=PROVIDER, url=bed.url, socket=str(socket).lower())
        (self.home / "config.toml").write_text(settings)

    def file(self, name: str, content: str) -> str:
        """Put a file into the folder it works in; return its path."""
        path = self.work / name
        path.write_text(content)
        return str(path)

    @contextlib.contextmanager
    def started(
        self, prompt: str, *options: str, resume: bool = False, extra: Mapping[str, str] | None = None
    ) -> Iterator[Running]:
        """Have it work on a prompt while the block runs; `resume` goes on with the last conversation."""
        last = ["resume", "--last"] if resume else []
        how = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json"]
        command = [str(self.program), "exec", *last, *how, *options, "--", prompt]
        environment = self.environment | dict(extra or {})
        with running(command, environment=environment, folder=self.work) as process:
            yield process

    def run(self, prompt: str, *options: str, resume: bool = False, extra: Mapping[str, str] | None = None) -> Told:
        """Have it work on a prompt."""
        with self.started(prompt, *options, resume=resume, extra=extra) as process:
            return self.told(process.finish())

    def told(self, ran: Ran) -> Told:
        """Read what a run has written."""
        return Told(ran, tuple(json.loads(line) for line in ran.out.splitlines() if line.startswith("{")))

    def does(self, prompt: str, *options: str, resume: bool = False, extra: Mapping[str, str] | None = None) -> Told:
        """Have it work on a prompt; fails if it does not end well."""
        return self.done(self.run(prompt, *options, resume=resume, extra=extra))

    def says(self, prompt: str, *options: str, resume: bool = False, extra: Mapping[str, str] | None = None) -> str:
        """Have it work on a prompt and return its answer; fails if it does not end well."""
        return self.does(prompt, *options, resume=resume, extra=extra).answer

    def done(self, told: Told) -> Told:
        """Return what was told; fails if the run did not end well."""
        ran = told.ran
        said = f"{ran.out[-3000:]}\n{ran.err[-3000:]}\nthe gateway said:\n{self._bed.gateway.log()[-3000:]}"
        assert ran.status == 0 and not told.failure, said
        return told

    @property
    def environment(self) -> dict[str, str]:
        """What it is started with."""
        return {
            "HOME": str(self.home),
            "CODEX_HOME": str(self.home),
            "PATH": os.environ.get("PATH", ""),
            "LANG": "C.UTF-8",
            "GATEWAY_KEY": KEY,
        }


@contextlib.contextmanager
def keeping_to_its_way(program: Path, bed: Bed, folder: Path, *, socket: bool) -> Iterator[Codex]:
    """Give a Codex, and check at the end that it has asked in its way alone: it falls back in silence."""
    before = len(bed.log())
    yield Codex(program, bed, folder, socket=socket)
    asked = bed.log()[before:]
    other = "POST" if socket else "WS"
    assert f" {other} /v1/responses" not in asked, asked
