"""The wheel: zoomgym alone, typed, with its license and all that PyPI shows."""

import email
import re
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path, PurePosixPath

import pytest

build = pytest.importorskip("hatchling.build", reason="hatchling builds the wheel")

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # hatchling builds the current folder
        name = build.build_wheel(str(folder))
    with zipfile.ZipFile(folder / name) as archive:
        yield archive


@pytest.fixture
def metadata(wheel: zipfile.ZipFile) -> Message:
    [name] = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_the_wheel_holds_zoomgym_alone(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "zoomgym").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == sources
    assert "zoomgym/py.typed" in inside


def test_the_wheel_holds_the_license(wheel: zipfile.ZipFile) -> None:
    [name] = (name for name in wheel.namelist() if PurePosixPath(name).name == "LICENSE")
    assert wheel.read(name) == (ROOT / "LICENSE").read_bytes()


def test_metadata_is_complete(metadata: Message) -> None:
    assert metadata["Name"] == "zoomgym"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    labels = {url.partition(",")[0] for url in metadata.get_all("Project-URL", [])}
    assert labels == {"Source", "Issues", "Changelog", "Paper"}


def test_the_readme_on_pypi_links_to_the_repository(metadata: Message) -> None:
    text = metadata.get_payload()
    links = re.findall(r"\]\(([^)]+)\)", str(text))
    home = f"https://github.com/zoomgym/zoomgym/raw/v{metadata['Version']}/docs/episode.png"
    assert home in links
    assert all(link.startswith("https://") for link in links)
