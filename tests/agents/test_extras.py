"""A command whose extra is not installed names it, and what to do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from agents.extras import how_to_install

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "agents.qwen.model.tiny": ("torch", "qwen"),
    "agents.qwen.training.grpo": ("torch", "qwen"),
    "agents.qwen.training.sft": ("torch", "qwen"),
    "agents.sb3": ("sb3_contrib", "sb3"),
    "agents.selector": ("torch", "qwen"),
    "benchmarks.figures": ("matplotlib", "figures"),
    "benchmarks.leaderboard": ("rich", "benchmarks"),
    "benchmarks.evaluation.leaks": ("rich", "benchmarks"),
    "benchmarks.speed.qwen": ("rich", "benchmarks"),
    "benchmarks.run": ("rich", "benchmarks"),
    "benchmarks.speed": ("rich", "benchmarks"),
    "examples.train_tiny_qwen": ("matplotlib", "figures"),
}
RUN = """
import runpy, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = [{module!r}, "--help"]
runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
"""


@pytest.mark.long
@pytest.mark.parametrize(("module", "needed"), COMMANDS.items())
def test_a_command_without_its_extra_ends_with_one_line_that_names_it(
    module: str, needed: tuple[str, str]
) -> None:
    package, extra = needed
    code = RUN.format(package=package, module=module)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == (
        f"error: needed the package {package} (extra `{extra}`), got none in {sys.executable}: "
        f"run `make setup` and use .venv/bin/python, or "
        f'`pip install -c constraints.txt -e ".[{extra}]"`\n'
    )


def test_every_package_of_an_extra_is_known_by_the_name_it_is_imported_as() -> None:
    imports = re.findall(
        r"^ *(?:import|from) (\w+)",
        "\n".join(
            path.read_text(encoding="utf-8")
            for folder in ("agents", "benchmarks", "examples")
            for path in (ROOT / folder).rglob("*.py")
        ),
        re.MULTILINE,
    )
    own = {"agents", "benchmarks", "examples", "zoomgym"}
    others = {*imports} - own - sys.stdlib_module_names
    assert "torch" in others
    through_others = {"markupsafe", "tokenizers"}  # of jinja2, and of transformers
    through_others |= {"lmms_eval"}  # no resolver installs it beside zoomgym
    unknown = {n for n in others if how_to_install(ModuleNotFoundError(name=n)) is None}
    assert unknown == through_others


def test_an_error_about_any_other_package_stays_a_traceback() -> None:
    code = "import agents, no_such_package"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "Traceback" in run.stderr
    assert run.stderr.endswith("ModuleNotFoundError: No module named 'no_such_package'\n")
