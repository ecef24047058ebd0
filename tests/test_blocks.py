"""Every command of the documents parses, and a test runs it or a reason says why none does."""

import re
import shlex
import tomllib
from argparse import Namespace
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from zoomgym.io.commands import Parser

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
RUN_BY = {
    "agents.qwen.demonstrations demonstrate": "agents/qwen/demonstrations/test_demonstrations.py",
    "agents.qwen.demonstrations export": "agents/qwen/demonstrations/test_demonstrations.py",
    "agents.qwen.demonstrations reflect": "agents/qwen/demonstrations/test_demonstrations.py",
    "agents.qwen.model.tiny": "agents/qwen/training/test_recipes.py",
    "agents.qwen.training.grpo": "agents/qwen/training/test_recipes.py",
    "agents.qwen.training.sft": "agents/qwen/training/test_recipes.py",
    "agents.sb3 evaluate": "agents/sb3/test_sb3.py",
    "agents.sb3 train": "agents/sb3/test_sb3.py",
    "agents.selector evaluate": "agents/selector/test_selector.py",
    "agents.selector train": "agents/selector/test_selector.py",
    "benchmarks.figures": "benchmarks/test_figures.py",
    "benchmarks.leaderboard": "benchmarks/test_leaderboard.py",
    "benchmarks.run suite": "benchmarks/test_run.py",
    "benchmarks.run tasks": "benchmarks/evaluation/test_suites.py",
    "benchmarks.studies": "benchmarks/studies/test_running.py",
    "benchmarks.speed.qwen generation": "benchmarks/speed/test_qwen.py",
    "benchmarks.speed.qwen rehearse": "benchmarks/speed/test_rehearsal.py",
    "benchmarks.speed.qwen step": "benchmarks/speed/test_qwen.py",
    "examples.draw_a_record": "test_examples.py",
    "examples.train_tiny_qwen": "agents/qwen/training/test_recipes.py",
    "tests.integrations": "integrations/test_environments.py",
    "zoomgym check": "cli/test_cli.py",
    "zoomgym grade": "cli/test_cli.py",
    "zoomgym play": "cli/test_cli.py",
    "zoomgym synth": "cli/test_cli.py",
    "zoomgym tasks": "cli/test_cli.py",
    "zoomgym view": "integrations/test_inspect_ai.py",
}
"""Files of tests that run a command, at a small size where it is large."""
SCRIPT = "examples.draw_a_record"
"""It has no `main` that could be asked."""
NOT_RUN = {
    "make": "CI runs `make demo` and `make check`, which runs `make test`",
    ".venv/bin/pytest": "tests don't run tests",
    "pre-commit": "it needs a repository to install itself into",
}
"""Commands that no test runs, and why."""


OF_OTHERS = {
    "lmms_eval": "`integrations/test_lmms_eval.py` calls the function that it calls",
    "verl.trainer.main_ppo": "it needs a GPU and weights",
}
"""Modules of other packages, which no test here starts as commands, and why."""


class ParsedError(Exception):
    """Ends a command once its arguments are parsed."""


def blocks(page: Path) -> Iterator[str]:
    """Yields the blocks of shell of a page, fenced and indented."""
    text = page.read_text(encoding="utf-8")
    yield from re.findall(r"```(?:bash|console|shell)\n(.*?)```", text, re.DOTALL)
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    yield from re.findall(r"(?<=\n\n)(?:(?: {4}.*)?\n)+", plain)


def command_lines() -> list[tuple[str, list[str]]]:
    """Returns every command of the documents, with its page."""
    found = []
    for page in PAGES:
        for block in blocks(page):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.split()
                if words and (words[0] in STARTS or words[0].startswith("PYTHONPATH=")):
                    found.append((page.name, shlex.split(line, comments=True)))
    return found


STARTS = {"python", "zoomgym", "accelerate", *NOT_RUN}
COMMANDS = command_lines()


def name_of(words: list[str]) -> str:
    """Returns the module or program that a command runs, with its subcommand."""
    has_module = words[0] not in NOT_RUN and words[0] != "zoomgym"
    start = words.index("-m") + 1 if has_module else 0
    name = words[start]
    if words[0] in NOT_RUN:
        return name
    known = [one for one in RUN_BY if one.split()[0] == name]
    both = " ".join(words[start : start + 2])
    return both if both in known else name


def test_the_documents_hold_blocks_of_commands() -> None:
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda one: str(one)[:60])
def test_every_command_is_run_by_a_test_or_has_a_reason(page: str, words: list[str]) -> None:
    name = name_of(words)
    assert name in {*NOT_RUN, *RUN_BY, *OF_OTHERS}, f"{page}: nothing runs {' '.join(words)}"


@pytest.mark.parametrize("name", RUN_BY)
def test_the_tests_that_run_a_command_are_there(name: str) -> None:
    text = (ROOT / "tests" / RUN_BY[name]).read_text()
    *_, last = name.split()
    assert re.search(rf"\b{last.rpartition('.')[2]}\b", text), f"{RUN_BY[name]} runs no {name}"


@pytest.mark.parametrize(
    ("page", "words"),
    [one for one in COMMANDS if not {*one[1]} & {*NOT_RUN, *OF_OTHERS, SCRIPT}],
    ids=lambda one: str(one)[:60],
)
def test_every_command_line_parses(
    page: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = Parser.parse_args

    def only_parse(self: Parser, *args: Any, **kwargs: Any) -> Namespace:
        raise ParsedError(parse(self, *args, **kwargs))

    monkeypatch.setattr(Parser, "parse_args", only_parse)
    if words[0] == "zoomgym":
        module, given = "zoomgym.cli", words[1:]
    else:
        start = words.index("-m") + 1
        module, given = words[start], words[start + 1 :]
    if words[0] == "accelerate":
        pytest.importorskip("torch")
        assert (ROOT / words[words.index("--config_file") + 1]).is_file()
    folder = ROOT.joinpath(*module.split("."))
    main = import_module(f"{module}.__main__" if (folder / "__main__.py").is_file() else module)
    optional = " ".join(given)
    if "[--" in optional:
        given = optional.replace("[--", "--").replace("]", "").split()
    with pytest.raises(ParsedError):
        main.main(given)


def test_extras_that_documents_name_are_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for page in PAGES:
        for named in re.findall(r"extra `(\w+)`", page.read_text()):
            assert named in extras, f"{page.name}: {named}"
