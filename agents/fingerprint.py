"""Fingerprint of an agent: a hash of its source files, or of its weights."""

import ast
import hashlib
import sys
import sysconfig
from contextlib import suppress
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import resolve_name
from pathlib import Path

from agents.registry import AGENTS, FAMILIES

WEIGHTS = (".bin", ".jinja", ".json", ".model", ".pt", ".pth", ".safetensors", ".txt", ".zip")
"""Suffixes of files that make up a model; a run's logs and records have others."""
LIBRARIES = tuple(
    Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
INSTALLED = ("site-packages", "dist-packages")
COVERED = "zoomgym"
"""Package whose version is in every record."""
NUM_DIGITS = 12


def fingerprint(name: str) -> str:
    """Returns hex digits that change with the code or the weights of an agent; empty if unknown.

    They cover the module of an agent in Python and everything that it imports, except installed
    packages; for `ppo:FOLDER` and `qwen:FOLDER`, the model in the folder. A served model, or one on
    a hub, has none. Make the agent first, so that its modules are imported.
    """
    module, _, argument = name.partition(":")
    if name in AGENTS:
        files = _sources([AGENTS[name].__module__])
    elif module in FAMILIES:
        files = _weights(Path(argument))
    else:
        made_by = getattr(sys.modules.get(module), argument, None)
        files = _sources([module, getattr(made_by, "__module__", module)])
    if not files:
        return ""
    digest = hashlib.sha256()
    for key, path in sorted(files.items()):
        digest.update(f"{key}\n{_hash_file(path)}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:NUM_DIGITS]


def _hash_file(path: Path) -> str:
    """Returns the hash of a file; line endings of source files do not matter."""
    if path.suffix == ".py":
        return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(folder: Path) -> dict[str, Path]:
    """Returns the files of a model by their names; none if there is no such folder."""
    if not folder.is_dir():
        return {}
    return {
        path.name: path for path in folder.iterdir() if path.suffix in WEIGHTS and path.is_file()
    }


def _sources(modules: list[str]) -> dict[str, Path]:
    """Returns the source files of modules and of everything they import, by module name."""
    files: dict[str, Path] = {}
    waiting, seen = list(modules), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _file_of(name)
        if path is not None and _is_own(name, path):
            files[name] = path
            waiting += _imports(name, path)
    return files


def _file_of(module: str) -> Path | None:
    """Returns the file of a module, without importing it."""
    known = getattr(sys.modules.get(module), "__file__", None)
    if known is not None:
        return Path(known)
    places, spec, parts = None, None, module.split(".")
    for number in range(len(parts)):
        if number and places is None:  # a name in a module that is no package
            return None
        spec = PathFinder.find_spec(".".join(parts[: number + 1]), places)
        if spec is None:
            return None
        places = spec.submodule_search_locations
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def _is_own(module: str, path: Path) -> bool:
    """Returns whether a module is the user's: not Python's, installed, or of the package."""
    is_library = any(path.is_relative_to(place) for place in LIBRARIES)
    is_installed = any(part in INSTALLED for part in path.parts)
    return not (is_library or is_installed or module.partition(".")[0] == COVERED)


def _imports(module: str, path: Path) -> tuple[str, ...]:
    """Returns what a module may import, anywhere in it, with the packages around that."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return _imported(path.read_bytes(), package)


@cache
def _imported(source: bytes, package: str) -> tuple[str, ...]:
    """Returns what source may import: read once for all agents that share it."""
    imported: dict[str, None] = {}
    with suppress(SyntaxError, ValueError, ImportError):  # it could not be imported
        for node in ast.walk(ast.parse(source)):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = resolve_name("." * node.level + (node.module or ""), package)
                names = [f"{base}.{alias.name}" for alias in node.names]
            for name in names:
                parts = name.split(".")
                imported |= {".".join(parts[: number + 1]): None for number in range(len(parts))}
    return tuple(imported)
