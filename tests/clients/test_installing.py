"""What installs the clients, with nothing to install."""

import threading
from pathlib import Path

import pytest

from tests.bed.recordings import ROOT
from tests.clients.installing import NotInstalled, cache, from_npm, from_pip, installed


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gemgate" / "clients"


def lock(folder: Path, content: str) -> Path:
    path = folder / "lock"
    path.write_text(content)
    return path


def test_it_is_done_once_for_each_lock(tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locks = [lock(tmp_path, "one")]
    filled: list[Path] = []
    begun = threading.Barrier(4)

    def ask() -> None:
        begun.wait(10)
        installed("x", locks, filled.append)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(filled) == 1
    first = installed("x", locks, filled.append)
    other = installed("x", [lock(tmp_path, "two")], lambda place: (place / "program").touch())
    assert len(filled) == 1 and first != other and (other / "program").exists()
    assert {first.parent, other.parent} == {own_cache}
    assert capsys.readouterr().err.count("Installing x into") == 2


def test_what_failed_leaves_nothing_and_says_why(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [lock(tmp_path, "wrong lock == file")]
    with pytest.raises(NotInstalled, match=r"pip failed with status 1: .*wrong lock") as caught:
        installed("x", asked, from_pip(asked[0]))
    assert "\n" not in str(caught.value)
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match="there is no npm here"):
        installed("x", asked, from_npm(tmp_path))
    assert [path for path in own_cache.iterdir() if path.is_dir()] == []


def test_nothing_is_installed_into_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(ROOT / ".build"))
    with pytest.raises(NotInstalled, match="lies in the checkout"):
        cache()


def test_a_place_that_cannot_be_written_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(NotInstalled, match=r"^x: "):
        installed("x", [lock(tmp_path, "one")], lambda _: None)
