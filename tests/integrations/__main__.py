"""Tests integrations, each in a virtual environment of its own with the real package.

`python -m tests.integrations NAME ..` makes them in `build/integrations`, or uses what is there.
"""

import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.integrations.environments import ENVIRONMENTS, NEEDED
from zoomgym.io.commands import Parser

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "integrations"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Returns 0 if the tests of all integrations have passed."""
    parser = Parser(prog="python -m tests.integrations", description=__doc__)
    parser.add_argument(
        "names",
        nargs="+",
        choices=[*ENVIRONMENTS, "all"],
        metavar="NAME",
        help=f"of {', '.join(ENVIRONMENTS)}; or all",
    )
    parser.add_argument("--new", action="store_true", help="make the environments again")
    args = parser.parse_args(argv)
    names = list(ENVIRONMENTS) if "all" in args.names else args.names
    failed = [name for name in names if not passes(name, is_new=args.new)]
    print(f"failed: {', '.join(failed)}" if failed else f"passed: {', '.join(names)}")
    return int(bool(failed))


def passes(name: str, *, is_new: bool) -> bool:
    """Makes the environment of an integration, and returns whether its tests pass there."""
    python = FOLDER / name / "bin" / "python"
    if is_new:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    if not (FOLDER / name / "made").exists():
        environment = ENVIRONMENTS[name]
        venv.create(FOLDER / name, with_pip=True, clear=True)
        extra = environment.extra or name.replace("_", "-")
        wanted = [*NEEDED, *environment.requirements, "-e", f".[{extra}]"]
        install = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, *wanted], cwd=ROOT, check=True)
        if environment.alone:
            subprocess.run([*install, "--no-deps", *environment.alone], cwd=ROOT, check=True)
        (FOLDER / name / "made").touch()
    tests = [
        f"tests/integrations/test_{name}.py",
        f"tests/integrations/test_same_rewards.py::test_every_loop_gives_the_same_rewards[{name}]",
    ]
    plays = (ROOT / "tests" / "integrations" / f"players_{name}.py").exists()
    options = ["-m", "not gpu", "-W", "default", "-p", "no:cacheprovider"]
    ran = subprocess.run([python, "-m", "pytest", *options, *tests[: 1 + plays]], cwd=ROOT)
    return ran.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
