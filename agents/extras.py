"""Says how to install a missing package, where Python says no more than ModuleNotFoundError.

`agents`, `benchmarks` and `examples` call `explain_missing_packages` when they are imported: before
any of their modules imports what an extra brings. So nothing here may need more than Python itself.
"""

import re
import sys
import tomllib
from pathlib import Path
from types import TracebackType

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
IMPORTED_AS = {"opencv-python-headless": "cv2", "pillow": "PIL"}
"""Distributions whose import name is not their own with underscores."""


def how_to_install(error: ImportError) -> str | None:
    """Returns what to do about a package of pyproject.toml that is missing; None if it is not."""
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
    """Returns what was needed, what is there, and what to do."""
    return (
        f"needed the package {package}{extra}, got none in {sys.executable}: run `make setup` "
        f"and use .venv/bin/python, or `pip install -c constraints.txt -e {target}`"
    )


def _import_names(requirements: list[str]) -> list[str]:
    """Returns what the distributions in requirements are imported as."""
    names = [re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in requirements]
    return [IMPORTED_AS.get(name, name.replace("-", "_")) for name in names]


def explain_missing_packages() -> None:
    """Makes an uncaught error about a missing package end in one line, without a traceback."""
    show = sys.excepthook

    def explain(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        remedy = how_to_install(error) if isinstance(error, ModuleNotFoundError) else None
        if remedy is None:
            show(kind, error, traceback)
        else:
            print(f"error: {remedy}", file=sys.stderr)  # noqa: T201 - what Python prints else

    sys.excepthook = explain
