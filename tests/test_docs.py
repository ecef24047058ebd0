"""What the documents say is what the code does."""

import dataclasses
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, get_origin

import gymnasium as gym
import pytest

from examples import own_agent
from tests.clips import first_video
from tests.tasks.datasets.layouts import write_file, write_json, write_parquet
from tests.tasks.datasets.test_lvbench import VIDEO
from tests.tasks.datasets.test_videomme import ROW, SRT
from zoomgym.agent.observation import Frames, Observation
from zoomgym.envs.env import ZoomEnv
from zoomgym.grading import CHOICE
from zoomgym.rules.episode import Turn
from zoomgym.rules.settings import Rules
from zoomgym.tasks.datasets.benchmark import locate_video
from zoomgym.tasks.datasets.lvbench import LVBENCH
from zoomgym.tasks.synthetic import SyntheticTasks

ROOT = Path(__file__).parents[1]


@pytest.mark.long
def test_the_readme_shows_an_example_that_is_run_here() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    code = (ROOT / "examples" / "play_an_episode.py").read_text()
    assert shown in code
    environment = {"ZOOMGYM_CACHE": os.environ["ZOOMGYM_CACHE"], "PATH": ""}
    run = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "examples" / "play_an_episode.py"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert "Zoom 1: 16 frames of" in run.stdout
    assert "(16, 112, 112, 3)" in run.stdout  # of the 64 places, those that are not empty
    assert "reward 1.5, the answer was C" in run.stdout


def pages() -> list[Path]:
    """Returns every page of the documentation and of the folder that a visitor sees first."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_command_that_is_named_is_there() -> None:
    told = pages()
    folders = ("agents", "benchmarks", "examples", "zoomgym")
    told += [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    pattern = rf"python -m ((?:{'|'.join(folders)})(?:\.\w+)*)(?!\w|\.[\w{{])"
    named = {name for path in told for name in re.findall(pattern, path.read_text("utf-8"))}
    assert len(named) > 15
    assert sorted(name for name in named if not _is_there(name)) == []


def _is_there(name: str) -> bool:
    """Returns whether `python -m name` finds something to run."""
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


FOLDERS = "zoomgym|agents|benchmarks|examples|tests|docs"
NO_FILES = {"zoomgym/zoom"}
"""What looks like a file, but is the task of an evaluator."""


def test_every_file_and_module_that_a_page_names_is_there() -> None:
    wrong = list[str]()
    for page in pages():
        text = page.read_text("utf-8")
        for path in re.findall(rf"(?<![\w./])(?:{FOLDERS})/[\w/.-]*\w", text):
            if not (ROOT / path).exists() and path not in NO_FILES:
                wrong.append(f"{page.name}: {path}")
        for name in re.findall(rf"(?<![\w./-])(?:{FOLDERS})(?:\.[A-Za-z_]\w*)+(?!\.?\w)", text):
            if not name.endswith(".md") and not _is_module_or_name(name):
                wrong.append(f"{page.name}: {name}")
    assert wrong == []


def _is_module_or_name(dotted: str) -> bool:
    """Returns whether a dotted name is a module, or a name in the source of one."""
    module, _, name = dotted.rpartition(".")
    source = _source(module)
    is_in_source = source and re.search(rf"\b{name}\b", source.read_text("utf-8"))
    return bool(_source(dotted) or is_in_source)


def _source(module: str) -> Path | None:
    """Returns the file of a module or package; None if there is none."""
    path = ROOT.joinpath(*module.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def test_lines_of_pages_are_short_but_for_tables() -> None:
    for page in pages():
        for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
            assert len(line) <= 120 or line.startswith("|"), f"{page.name}:{number}"


def test_the_fork_of_the_api_page_works_on_what_gym_make_returns() -> None:
    assert "`env.unwrapped.fork()`" in (ROOT / "docs" / "api" / "index.md").read_text()
    env = gym.make("zoomgym:ZoomEnv-v0", tasks="synthetic:flash", source="scene")
    env.reset(seed=7)
    fork = env.unwrapped.fork()  # type: ignore[attr-defined]
    fork.step('{"segment": [4, 6], "fps": 4}')
    assert len(fork.observation.clips) == 1
    assert not hasattr(env, "fork")  # of the wrapper
    assert not env.unwrapped.observation.clips  # type: ignore[attr-defined]


@pytest.mark.long
def test_the_example_agent_beats_a_glance(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["examples.own_agent"])
    assert own_agent.main() == 0
    assert (
        capsys.readouterr().out
        == "BrightAgent keeps the contract\nbright: 17 of 20 right\nglance: 3 of 20 right\n"
    )


def test_the_rules_show_the_one_regular_expression_of_grading() -> None:
    page = (ROOT / "docs" / "rules.md").read_text()
    [shown] = re.findall(r"(?m)^    \(\?:option(?:.*\n    )+.*$", page)
    assert re.sub(r"\n? {4}", "", shown) == CHOICE.pattern


def type_in_words(field: dataclasses.Field[Any]) -> str:
    """Returns a field's type without modules."""
    if field.name == "images":
        return "ndarray"  # what NDArray is depends on NumPy's version
    kind: Any = field.type
    name = kind.__name__ if isinstance(kind, type) and not get_origin(kind) else str(kind)
    return re.sub(r"\b[a-z_]+\.", "", name).replace(" | ", " or ")


@pytest.mark.parametrize("kind", [Observation, Frames, Turn, Rules])
def test_the_fields_that_an_agent_is_shown_are_listed(kind: Any) -> None:
    page = (ROOT / "docs" / "agents.md").read_text()
    [table] = re.findall(rf"\| field of `{kind.__name__}` .*\n\|---.*\n((?:\|.*\n)+)", page)
    listed = re.findall(r"(?m)^\| `(\w+)` \| `(.+?)` \| .+ \|$", table)
    assert listed == [(field.name, type_in_words(field)) for field in dataclasses.fields(kind)]


def test_documents_install_a_checkout_or_what_extras_are_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    packages = {re.split("[^a-z0-9-]", one)[0] for needed in extras.values() for one in needed}
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "constraints.txt"):
        for told in re.findall(r"pip install ([^`\n]+)", page.read_text()):
            target = told.removeprefix("-c constraints.txt ").removeprefix("-e ")
            if target == f"git+{project['urls']['Source']}":
                continue
            checkout = re.fullmatch(r'\.|"\.\[([a-z0-9,]+)\]"', target)
            names = (checkout[1] or "").split(",") if checkout else [target]
            assert set(names) <= ({"", *extras} if checkout else packages), f"{page.name}: {told}"


def test_links_in_documents_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_class_docstring_follows_the_gymnasium_convention() -> None:
    headings = re.findall(r"## (.+)", ZoomEnv.__doc__ or "")
    assert headings == [
        "Description", "Observation Space", "Action Space", "Rewards", "Starting State",
        "Episode End", "Arguments", "Version History",
    ]  # fmt: skip


def floors() -> str:
    """Returns the layers of the import contracts, as a picture of text."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    lines: list[str] = []
    for contract in contracts["contracts"]:
        if contract["type"] == "layers":
            package = contract.get("containers", [""])[0]
            lines.append(package.replace(".", "/") + "/" if package else contract["name"])
            for layer in contract["layers"]:
                lines.append(f"    {layer.replace('zoomgym.', '').replace(' | ', ' . ')}")
            lines.append("")
    return "\n".join(lines).rstrip()


def test_the_floors_of_the_architecture_are_those_of_the_contracts() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    [shown] = re.findall(r"<!-- floors -->\n\n```text\n(.*?)\n```\n\n<!-- /floors -->", page, re.S)
    assert shown == floors(), "copy what floors() returns into docs/architecture.md"


PYTHON = re.compile(r"(?:<!-- not run: (\S.*) -->\n+)?```python\n((?s:.*?))```")
"""A block of Python of a page, below the reason why no test runs it, if there is one."""


def python_in(text: str) -> list[str]:
    """Returns the blocks of Python in a page that need to run: all without a reason."""
    return [code for reason, code in PYTHON.findall(text) if not reason]


def test_a_block_of_python_is_run_unless_a_reason_is_above_it() -> None:
    one, two, three = (f"```python\n{name}\n```\n" for name in "abc")
    text = f"{one}<!-- not run: needs a GPU -->\n\n{two}<!-- not run: -->\n{three}"
    assert python_in(text) == ["a\n", "c\n"]


def test_all_code_of_pages_is_in_blocks_whose_language_is_known() -> None:
    fences = {one for page in pages() for one in re.findall(r"(?m)^\s*```(.*)", page.read_text())}
    assert fences == {"", "bash", "python", "text"}


def fill(folder: Path) -> None:
    """Writes what the page of benchmarks needs: a video of Video-MME, and one of LVBench."""
    synthetic = SyntheticTasks(("flash",), "test", 30, "easy", "file")
    clip = first_video(synthetic, folder).read_bytes()
    data, key = folder / "data" / "Video-MME", ROW["videoID"]
    write_parquet(data / "videomme" / "test-00000-of-00001.parquet", [ROW])
    write_file(data / "data" / f"{key}.mp4", clip)
    write_file(data / "subtitle" / f"{key}.srt", SRT.encode())
    write_file(folder / "scripts" / "videos" / "00000" / "00000.mp4", clip)
    url = {"url": f"https://www.youtube.com/watch?v={VIDEO['key']}"}
    write_json(folder / "scripts" / "videos" / "00000" / "00000.json", url)


OTHER_PAGES = [page for page in pages() if page.name != "README.md" and python_in(page.read_text())]
"""Pages with Python, besides the README, whose example is run above."""


@pytest.mark.long
@pytest.mark.parametrize("page", OTHER_PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    if page.name == "benchmarks.md":
        pytest.importorskip("pyarrow", reason="rows of Video-MME are parquet")
        fill(tmp_path)
    code = "\n".join(python_in(page.read_text())).replace("/data/", f"{tmp_path}/data/")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    if page.name == "benchmarks.md":
        assert "Which ornament is not red?" in run.stdout
        renamed = tmp_path / "scripts" / "videos" / "00000" / "Cm73ma6Ibcs.mp4"
        assert locate_video(LVBENCH, tmp_path, "Cm73ma6Ibcs.mp4") == renamed
