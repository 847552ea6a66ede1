"""Clients are installed on demand, into a cache outside the tree that one lock file fills once."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bed.recordings import ROOT

SECONDS = 400.0
"""How long one installation may take."""

Install = Callable[[Path], None]
"""Fills a folder; raises `NotInstalled`."""


class NotInstalled(Exception):
    """A client cannot be had here; the message says why."""


def cache() -> Path:
    """Tell where clients are kept between runs; raises `NotInstalled`."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = (base / "gemgate" / "clients").absolute()
    if place.is_relative_to(ROOT):
        raise NotInstalled(f"the cache {place} lies in the checkout")
    return place


def installed(name: str, locks: Sequence[Path], install: Install) -> Path:
    """Return the folder that holds a client, which `install` fills the first time; raises `NotInstalled`.

    Another content of the lock files is another folder. Of several processes one installs and the others wait.
    """
    place = cache() / f"{name}-{_digest(locks)}"
    if place.is_dir():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.with_name(f"{place.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.is_dir():
                _fill(name, place, install)
    except OSError as error:
        raise NotInstalled(f"{name}: {error}") from error
    return place


def _digest(locks: Sequence[Path]) -> str:
    machine = f"{sys.implementation.cache_tag} {sysconfig.get_platform()} {platform.libc_ver()[0]}"
    whole = b"\0".join([machine.encode(), *(lock.read_bytes() for lock in locks)])
    return hashlib.sha256(whole).hexdigest()[:16]


def _fill(name: str, place: Path, install: Install) -> None:
    """Fill it aside, so that a folder of that name is always complete."""
    aside = place.with_name(f"{place.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    sys.stderr.write(f"Installing {name} into {place} (once) …\n")
    sys.stderr.flush()
    try:
        install(aside)
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def from_npm(package: Path) -> Install:
    """Install what `package-lock.json` in a folder names, without running its scripts."""

    def install(place: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(package / name, place)
        program = shutil.which("npm")
        if program is None:
            raise NotInstalled("there is no npm here")
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error")
        _run("npm", [program, "ci", *options], place)

    return install


def from_pip(lock: Path) -> Install:
    """Install what a lock file with hashes names, all of it."""

    def install(place: Path) -> None:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--retries=1"]
        _run("pip", [*command, "--require-hashes", "--no-deps", "--target", str(place), "-r", str(lock)], place)

    return install


def _run(name: str, command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{name} did not end within {SECONDS:.0f} s") from None
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())
        raise NotInstalled(f"{name} failed with status {done.returncode}: {said[:400]}")
