"""Every row of the acceptance list that can hold today has a test."""

import ast
from pathlib import Path

ROWS = {*range(1, 28), 30, 31}


def test_each_row_has_a_test() -> None:
    marked: dict[int, list[str]] = {}
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for row in _rows(node):
                    marked.setdefault(row, []).append(f"{path.name}::{node.name}")
    assert marked.keys() == ROWS


def _rows(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[int]:
    found: list[int] = []
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.acceptance":
            found += [ast.literal_eval(argument) for argument in decorator.args]
    return found
