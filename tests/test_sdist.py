"""The source distribution: a whole checkout, from which the README's commands run."""

import subprocess
import tarfile
from pathlib import Path

import pytest
from hatchling.build import build_sdist

ROOT = Path(__file__).parents[1]
FOLDERS = ("zoomgym", "agents", "benchmarks", "examples", "docs", "tests")
LEFT_BEHIND = {"__pycache__", ".pytest_cache", ".hypothesis"}
FILES = (
    "Makefile",
    "constraints.txt",
    "pyproject.toml",
    *(path.name for path in ROOT.glob("*.md")),
)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the source distribution unpacks to."""
    folder = tmp_path_factory.mktemp("sdist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # hatchling builds the current folder
        name = build_sdist(str(folder))
    with tarfile.open(folder / name) as archive:
        archive.extractall(folder, filter="data")
    return folder / name.removesuffix(".tar.gz")


def files_of(root: Path) -> set[str]:
    """Returns the files that a checkout has, without what running it leaves behind."""
    paths = [root / name for name in FILES]
    for folder in FOLDERS:
        paths += (path for path in (root / folder).rglob("*") if path.is_file())
    places = {path.relative_to(root) for path in paths if path.is_file()}
    return {place.as_posix() for place in places if not LEFT_BEHIND.intersection(place.parts)}


@pytest.mark.long
def test_the_sdist_holds_all_files_of_a_checkout(unpacked: Path) -> None:
    here = files_of(ROOT)
    assert {"Makefile", "constraints.txt", "README.md", "tests/test_sdist.py"} <= here
    assert files_of(unpacked) == here


@pytest.mark.usefixtures("no_outer_make")
@pytest.mark.parametrize("target", ["demo", "test", "check"])
def test_make_finds_in_the_sdist_what_it_needs(target: str, unpacked: Path) -> None:
    plan = subprocess.run(
        ["make", "--dry-run", "--directory", unpacked, target, "VENV=.venv"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--constraint constraints.txt" in plan.stdout
