"""How big things are, what they are called, and that each says what it is for."""

import ast
import re

from tests.architecture.source import ROOT, SOURCE, modules, name, tree

MAX_LINES = 500
MAX_HUB_LINES = 1_000
DUMPING_GROUNDS = re.compile(r"(?:^|_)(?:utils?|helpers?|common|managers?|misc|stuff)(?:_|$)")
VAGUE_CLASSES = re.compile(r"(?:Manager|Helper|Util|Utils)$")


def lines(path_text: str) -> int:
    return path_text.count("\n")


def test_no_file_is_too_long() -> None:
    long = {name(path): lines(path.read_text()) for path in modules() if lines(path.read_text()) > MAX_LINES}
    assert long == {}


def test_the_hub_stays_small() -> None:
    size = sum(lines(path.read_text()) for path in (SOURCE / "hub").rglob("*.py"))
    assert 0 < size < MAX_HUB_LINES


def test_no_module_is_a_dumping_ground() -> None:
    assert DUMPING_GROUNDS.search("string_utils") and not DUMPING_GROUNDS.search("commons_x".replace("s_x", "er"))
    assert [
        name(path) for path in modules() if any(DUMPING_GROUNDS.search(part) for part in path.with_suffix("").parts)
    ] == []


def test_no_class_has_a_name_that_says_nothing() -> None:
    found = [
        f"{name(path)}: {node.name}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and VAGUE_CLASSES.search(node.name)
    ]
    assert found == []


def undocumented(path_name: str, module: ast.Module) -> list[str]:
    """List what is public and says nothing about itself; what is inside a function is nobody's business."""
    found = [] if ast.get_docstring(module) else [path_name]

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            overload = any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list)
            setter = any(isinstance(mark, ast.Attribute) and mark.attr == "setter" for mark in node.decorator_list)
            if not (overload or setter or ast.get_docstring(node)):
                found.append(f"{prefix}.{node.name}")
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{prefix}.{node.name}")

    look(module.body, path_name)
    return found


def test_everything_public_says_what_it_is_for() -> None:
    assert undocumented("x", ast.parse("class A:\n  def b(self): ...\n  def _c(self): ...")) == ["x", "x.A", "x.A.b"]
    assert [item for path in modules() for item in undocumented(name(path), tree(path))] == []


def test_every_folder_of_source_is_a_package() -> None:
    folders = {path.parent for path in modules()}
    assert [folder.relative_to(ROOT).as_posix() for folder in folders if not (folder / "__init__.py").is_file()] == []
