"""What a release says in several places: versions, dates, Pythons, and lowest dependencies."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_version_and_date_are_the_same_everywhere() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    [cited] = re.findall(r"^version: (.+)$", citation, re.MULTILINE)
    [date] = re.findall(r"^date-released: (.+)$", citation, re.MULTILINE)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert cited == PROJECT["version"]
    assert titles[:2] == ["Unreleased", f"{cited} - {date}"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_what_exists(path: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the workflows")
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    runs = [step["run"].split() for step in steps if "run" in step]
    assert runs
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command, *words in runs:
        if command == "make":
            assert set(words) <= set(targets)
        elif command == "bash":
            assert (ROOT / words[0]).is_file()
        elif command == "python":
            assert (ROOT / f"{words[1].replace('.', '/')}.py").is_file()
        else:
            assert command == "grep"


def test_every_python_that_is_promised_is_tested() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the workflows")
    check = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text())
    prefix = "Programming Language :: Python :: 3."
    promised = [name for name in PROJECT["classifiers"] if name.startswith(prefix)]
    tested = check["jobs"]["versions"]["strategy"]["matrix"]["python"]
    assert promised == [f"{prefix}{version.removeprefix('3.')}" for version in tested]
    assert PROJECT["requires-python"] == f">={tested[0]}"


def lowest_of(requirements: list[str]) -> dict[str, str]:
    """Returns the lowest version that each requirement allows, by name."""
    wanted = [Requirement(text) for text in requirements]
    return {
        need.name: spec.version
        for need in wanted
        for spec in need.specifier
        if spec.operator == ">="
    }


def test_the_lowest_versions_are_those_that_are_promised() -> None:
    extras: dict[str, Any] = PROJECT["optional-dependencies"]
    promised = lowest_of(
        [*PROJECT["dependencies"], *extras["benchmarks"], *extras["datasets"], *extras["math"]]
    )
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    on_oldest = {"python_version": PROJECT["requires-python"].removeprefix(">=")}
    tested = {
        pin.name: str(pin.specifier).removeprefix("==")
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(on_oldest)
    }
    assert {name: f"{version}.0.0".split(".")[:3] for name, version in promised.items()} == {
        name: version.split(".") for name, version in tested.items()
    }
