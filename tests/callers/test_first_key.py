"""The key of the first start."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gemgate.callers.first_key import FILE_NAME, first_key
from gemgate.errors import SettingsError


def test_it_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    key, new = first_key(folder)
    assert new and key.startswith("gg-") and len(key) >= 35
    assert first_key(folder) == (key, False)
    assert first_key(tmp_path / "other")[0] != key


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first_key(tmp_path / "data")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "data" / FILE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "data").iterdir()] == [FILE_NAME]  # no drafts are left


def test_one_that_was_put_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("  my-own-key\n\n")
    assert first_key(tmp_path) == ("my-own-key", False)


@pytest.mark.parametrize("text", ["", "\n", "  \n\n"])
def test_an_empty_file_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    key, new = first_key(tmp_path)
    assert new and key.startswith("gg-")
    assert first_key(tmp_path) == (key, False)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_processes_at_once_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gemgate.callers.first_key import first_key; "
        "sys.stdin.read(1); print(*first_key(Path(sys.argv[1])))"
    )
    for round_ in range(3):
        command = [sys.executable, "-c", code, str(tmp_path / str(round_))]
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
        ]
        for process in running:
            assert process.stdin is not None
            process.stdin.write("!")
            process.stdin.flush()
        said = [process.communicate(timeout=20)[0].split() for process in running]
        assert len({key for key, _ in said}) == 1, said
        assert [new for _, new in said].count("True") == 1


def test_another_process_that_has_not_written_yet_is_not_robbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check and the making of the file, somebody else makes it."""
    real = os.link

    def slow(source: str, target: Path) -> None:
        target.write_text("theirs\n")
        real(source, target)

    monkeypatch.setattr(os, "link", slow)
    assert first_key(tmp_path) == ("theirs", False)


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(source: str, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    key, new = first_key(tmp_path)
    assert new and first_key(tmp_path) == (key, False)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def _file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("x")
    return tmp_path / "file"


def _below_a_file(tmp_path: Path) -> Path:
    return _file(tmp_path) / "data"


def _key_is_a_folder(tmp_path: Path) -> Path:
    (tmp_path / FILE_NAME).mkdir()
    return tmp_path


def _key_is_no_text(tmp_path: Path) -> Path:
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe\x00")
    return tmp_path


@pytest.mark.parametrize("spoil", [_file, _below_a_file, _key_is_a_folder, _key_is_no_text])
def test_a_folder_that_cannot_be_used(tmp_path: Path, spoil: Callable[[Path], Path]) -> None:
    folder = spoil(tmp_path)
    with pytest.raises(SettingsError, match=r"^GEMGATE_DATA_DIR: .*/") as caught:
        first_key(folder)
    assert str(folder) in str(caught.value)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    sealed.mkdir(mode=0o500)
    if os.access(sealed, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(SettingsError, match="name a folder that can"):
        first_key(sealed / "data")
