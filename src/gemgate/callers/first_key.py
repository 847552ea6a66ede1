"""The client key that is made at the first start, so that there is never a default password."""

import os
import secrets
import tempfile
from pathlib import Path

from gemgate.errors import SettingsError

FILE_NAME = "client-key"
PREFIX = "gg-"


def first_key(data_path: Path) -> tuple[str, bool]:
    """Read the key of an earlier start or make one; gives it and whether it is new. The file is for its owner alone."""
    path = data_path / FILE_NAME
    try:
        data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _kept(path)
        return (kept, False) if kept else _made(path)
    except OSError as error:
        raise SettingsError(
            "GEMGATE_DATA_DIR", f"{data_path} cannot be used ({error.strerror}); name a folder that can"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError("GEMGATE_DATA_DIR", f"{path} holds no key; delete it, and a new one is made") from error


def _kept(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def _made(path: Path) -> tuple[str, bool]:
    """Make a key; its file appears with everything in it, so that of two processes at once one has the other's key."""
    key = PREFIX + secrets.token_urlsafe(24)
    descriptor, draft = tempfile.mkstemp(prefix=f".{FILE_NAME}-", dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            if kept := _kept(path):
                return kept, False
            Path(draft).replace(path)  # an empty file, left by nobody knows whom
        except OSError:
            Path(draft).replace(path)  # a file system without links
    finally:
        Path(draft).unlink(missing_ok=True)
    return key, True
