"""Says how to install a missing package, where Python only raises ModuleNotFoundError.

`agents`, `benchmarks` and `examples` call `explain_missing_packages` when they are imported, before
any of their modules imports an extra's packages. So this module needs nothing but Python.
"""

import re
import sys
import tomllib
from pathlib import Path
from types import TracebackType

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
IMPORTED_AS = {"opencv-python-headless": "cv2", "pillow": "PIL"}
"""Distributions whose import name differs from their own, underscores aside."""


def how_to_install(error: ImportError) -> str | None:
    """Returns how to install a missing package of pyproject.toml; None for any other package."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    if error.name in _import_names(project["dependencies"]):
        return _remedy(error.name, "", ".")
    extras = project["optional-dependencies"]
    bundles = [name for name in extras if project["name"] in _import_names(extras[name])]
    for extra in [*(name for name in extras if name not in bundles), *bundles]:
        if error.name in _import_names(extras[extra]):
            return _remedy(error.name, f" (extra `{extra}`)", f'".[{extra}]"')
    return None


def _remedy(package: str, extra: str, target: str) -> str:
    """Returns a message: what was needed, what came, and what to do."""
    return (
        f"needed the package {package}{extra}, got none in {sys.executable}: run `make setup` "
        f"and use .venv/bin/python, or `pip install -c constraints.txt -e {target}`"
    )


def _import_names(requirements: list[str]) -> list[str]:
    """Returns what the distributions in requirements are imported as."""
    names = [re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in requirements]
    return [IMPORTED_AS.get(name, name.replace("-", "_")) for name in names]


def explain_missing_packages() -> None:
    """Makes an uncaught error about a missing package print one line instead of a traceback."""
    show = sys.excepthook

    def explain(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        remedy = how_to_install(error) if isinstance(error, ModuleNotFoundError) else None
        if remedy is None:
            show(kind, error, traceback)
        else:
            print(f"error: {remedy}", file=sys.stderr)  # noqa: T201 - instead of Python's own

    sys.excepthook = explain
