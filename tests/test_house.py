"""Rooms export what others use, files stay small, no class name comes twice, words are plain."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("zoomgym", "agents", "benchmarks")
MOST_LINES = 400
MOST_ENTRIES = {"zoomgym": 18, "benchmarks": 12}
MOST_COLUMNS = 120
APART = {
    *("zoomgym.io.commands", "zoomgym.io.locks"),
    *("zoomgym.envs.discrete", "zoomgym.envs.vector"),
    "zoomgym.integrations.inspect_logs",
}
"""Modules that are imported by themselves: argparse, filelock, environments, extras cost time."""
FOREIGN = re.compile(
    r"\b(whoever|lest|anew|henceforth|thereof|therein|cannot be meant|(goes|gone) on with)\b", re.I
)
"""Words that a native engineer would not write."""
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path: Path) -> str:
    """Returns the dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in SOURCES}


@cache
def tree_of(module: str) -> ast.Module:
    """Returns the syntax tree of a module."""
    return ast.parse(MODULES[module].read_text("utf-8"))


def room_of(module: str) -> str | None:
    """Returns the room of zoomgym that a module is in, if it is in one."""
    package, *parts = module.split(".")
    is_room = package == "zoomgym" and parts and (ROOT / package / parts[0]).is_dir()
    return parts[0] if is_room else None


def exports(room: str) -> set[str]:
    """Returns the names in the `__all__` of a room."""
    for node in tree_of(f"zoomgym.{room}").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def imports_of(module: str) -> Iterator[tuple[str, str]]:
    """Yields the module and the name of everything that a module imports by name."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                yield node.module, alias.name


@pytest.mark.parametrize("module", MODULES)
def test_rooms_import_from_each_other_what_they_export(module: str) -> None:
    for source, name in imports_of(module):
        room = room_of(source)
        is_other = room is not None and room != room_of(module) and source not in APART
        if is_other and f"{source}.{name}" not in MODULES:
            assert source == f"zoomgym.{room}", f"{module} looks into {source} for {name}"
            assert name in exports(room), f"{name} is not in the __all__ of zoomgym.{room}"


def test_no_private_name_is_imported() -> None:
    for module in MODULES:
        for source, name in imports_of(module):
            is_private = name.startswith("_") and not name.endswith("__")
            assert not is_private, f"{module} imports {name} of {source}"


def test_no_class_name_is_used_twice() -> None:
    places = defaultdict(list)
    for module in MODULES:
        for node in tree_of(module).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_file_is_too_long_to_read() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


@pytest.mark.parametrize("package", MOST_ENTRIES)
def test_the_top_of_a_package_is_seen_at_a_glance(package: str) -> None:
    files = (path.relative_to(ROOT / package) for path in (ROOT / package).rglob("*.*"))
    entries = {path.parts[0] for path in files if path.suffix != ".pyc"}  # old folders keep those
    assert len(entries) <= MOST_ENTRIES[package], sorted(entries)


def test_lines_of_documents_fit() -> None:
    for page in PAGES:
        for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
            is_free = line.lstrip().startswith("|")
            assert is_free or len(line) <= MOST_COLUMNS, f"{page.name}:{number}"


def test_words_are_plain() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in (*SOURCES, *PAGES)
        for match in FOREIGN.finditer(path.read_text("utf-8"))
    ]
    assert found == []
