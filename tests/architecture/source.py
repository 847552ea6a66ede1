"""The source, parsed: what the rules look at."""

import ast
import io
import subprocess
import tokenize
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "gemgate"


@cache
def modules() -> tuple[Path, ...]:
    """List every Python file under src."""
    return tuple(sorted(SOURCE.rglob("*.py")))


def name(path: Path) -> str:
    """Name a file as the rules do, from the package on."""
    return path.relative_to(SOURCE).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text())


@cache
def code(path: Path) -> tuple[tuple[int, str], ...]:
    """Give what a file says to the machine: its lines without comments and docstrings, numbered."""
    silent: set[int] = set()
    for node in ast.walk(tree(path)):
        for part in getattr(node, "body", []) if isinstance(getattr(node, "body", None), list) else []:
            if (
                isinstance(part, ast.Expr)
                and isinstance(part.value, ast.Constant)
                and isinstance(part.value.value, str)
            ):
                silent.update(range(part.lineno, (part.end_lineno or part.lineno) + 1))
    lines = path.read_text().splitlines()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return tuple((number, line) for number, line in enumerate(lines, start=1) if number not in silent)


@cache
def tracked() -> tuple[Path, ...]:
    """List the files that belong to the project: what git tracks, or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        return tuple(
            path for path in ROOT.rglob("*") if path.is_file() and not {".venv", ".build", ".git"} & set(path.parts)
        )
    return tuple(ROOT / line for line in listed if line and (ROOT / line).is_file())
