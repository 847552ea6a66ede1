"""The client key that is made at the first start, so that there is never a default password."""

import os
import secrets
from pathlib import Path

from gemgate.errors import SettingsError

FILE_NAME = "client-key"
PREFIX = "gg-"


def first_key(data_path: Path) -> tuple[str, bool]:
    """Read the key of an earlier start or make one; gives it and whether it is new. The file is for its owner alone."""
    path = data_path / FILE_NAME
    try:
        data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = PREFIX + secrets.token_urlsafe(24)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
        return key, True
    except FileExistsError:
        key = path.read_text().strip()
        if not key:
            path.unlink()
            return first_key(data_path)
        return key, False
    except OSError as error:
        raise SettingsError(
            "GEMGATE_DATA_DIR", f"{data_path} cannot be written ({error.strerror}); name a folder that can"
        ) from error
