"""What may import what, and what a start costs."""

import subprocess
import sys
import tomllib
from typing import Any

from tests.architecture.source import ROOT, SOURCE

CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]


def contract(kind: str) -> dict[str, Any]:
    found = [one for one in CONTRACTS if one["type"] == kind]
    assert len(found) == 1
    return found[0]


def layers() -> list[list[str]]:
    return [[part.strip() for part in layer.split("|")] for layer in contract("layers")["layers"]]


def loaded_by(module: str) -> set[str]:
    """Import a module in a fresh interpreter; gives all that came along."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_layers_name_every_part() -> None:
    named = {part for layer in layers() for part in layer}
    parts = {
        f"gemgate.{path.stem}"
        for path in SOURCE.iterdir()
        if (path.is_dir() and any(path.rglob("*.py"))) or (path.suffix == ".py" and not path.stem.startswith("__"))
    }
    assert named == parts


def test_the_layers_are_in_order() -> None:
    order = {part.removeprefix("gemgate."): number for number, layer in enumerate(layers()) for part in layer}
    chain = ("cli", "app", "server", "pipeline", "upstreams", "keys", "protocols", "net", "hub", "errors")
    assert [order[part] for part in chain] == sorted(order[part] for part in chain)


def test_formats_do_not_know_each_other() -> None:
    formats = {
        f"gemgate.protocols.{path.name}"
        for path in (SOURCE / "protocols").iterdir()
        if path.is_dir() and path.name != "shared" and any(path.glob("*.py"))
    }
    assert set(contract("independence")["modules"]) == formats


def test_the_hub_and_the_codecs_do_no_io() -> None:
    found = contract("forbidden")
    assert set(found["source_modules"]) == {"gemgate.hub", "gemgate.protocols"}
    assert {"asyncio", "socket", "ssl", "sqlite3", "time", "random", "subprocess"} <= set(found["forbidden_modules"])


def test_no_contract_is_holed() -> None:
    assert not any("ignore_imports" in one for one in CONTRACTS)


def test_the_command_line_answers_before_it_loads_the_server() -> None:
    loaded = loaded_by("gemgate.cli.main")
    heavy = {"uvicorn", "uvloop", "httptools", "xllamacpp", "asyncio", "ssl", "sqlite3", "python_socks", "gemgate.app"}
    assert loaded & heavy == set()


def test_the_application_does_not_load_the_embedded_runtime() -> None:
    loaded = loaded_by("gemgate.app")
    assert {"xllamacpp", "gemgate.cli", "numpy"} & loaded == set()
    assert "gemgate.server.endpoint" in loaded
