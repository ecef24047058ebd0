"""An agent's hash changes with its code or its weights, and with nothing else."""

import sys
from pathlib import Path

import pytest

from agents.fingerprint import fingerprint
from agents.registry import AGENTS, make_agent

AGENT = """
from own_helper import ANSWER
from own_package.deep import DEPTH
import numpy

class Agent:
    def reset(self, seed):
        import own_late

    def act(self, observation):
        return ANSWER
"""
FILES = {
    "own_agent.py": AGENT,
    "own_helper.py": "ANSWER = 'A'\n",
    "own_late.py": "LATE = 1\n",
    "own_package/__init__.py": "",
    "own_package/deep.py": "from .deeper import DEPTH\n",
    "own_package/deeper.py": "DEPTH = 2\n",
    "own_unrelated.py": "NOTHING = 0\n",
}
NAME = "own_agent:Agent"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Modules of an agent of one's own, importable."""
    (tmp_path / "own_package").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for module in [name for name in sys.modules if name.startswith("own_")]:
        monkeypatch.delitem(sys.modules, module)
    make_agent(NAME)
    return tmp_path


@pytest.mark.parametrize(
    "file",
    [
        "own_agent.py",
        "own_helper.py",
        "own_late.py",  # imported only when it plays
        "own_package/__init__.py",
        "own_package/deep.py",
        "own_package/deeper.py",
    ],
)
def test_a_change_in_any_of_its_own_modules_changes_the_hash(own: Path, file: str) -> None:
    before = fingerprint(NAME)
    assert len(before) == 12
    assert fingerprint(NAME) == before
    (own / file).write_text((own / file).read_text() + "\nCHANGED = 1\n")
    assert fingerprint(NAME) != before


def test_nothing_else_changes_it(own: Path) -> None:
    before = fingerprint(NAME)
    (own / "own_unrelated.py").write_text("NOTHING = 1\n")
    (own / "records.jsonl").write_text("{}\n")
    (own / "own_agent.py").write_bytes(AGENT.replace("\n", "\r\n").encode())
    assert fingerprint(NAME) == before


def test_a_folder_called_like_an_imported_name_does_not_matter(own: Path) -> None:
    before = {name: fingerprint(name) for name in (NAME, "oracle")}
    for name in ("ANSWER", "DEPTH", "cache", "lru_cache", "dataclass", "Path", "ndarray"):
        (own / name).mkdir()
    assert {name: fingerprint(name) for name in before} == before


def test_where_the_modules_lie_does_not_matter(
    own: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(NAME)
    elsewhere = own.rename(tmp_path_factory.mktemp("moved") / "place")
    monkeypatch.syspath_prepend(elsewhere)
    for module in [name for name in sys.modules if name.startswith("own_")]:
        monkeypatch.delitem(sys.modules, module)
    make_agent(NAME)
    assert fingerprint(NAME) == before


def test_every_agent_with_code_has_a_hash_of_its_own_module() -> None:
    hashes = {name: fingerprint(name) for name in AGENTS}
    assert all(len(one) == 12 for one in hashes.values())
    assert hashes["blind"] == hashes["oracle"] != hashes["change"]  # of one module, and another


@pytest.mark.parametrize("family", ["ppo", "qwen"])
def test_a_model_is_known_by_its_files_not_by_what_a_run_writes_beside_them(
    family: str, tmp_path: Path
) -> None:
    (tmp_path / "model.zip").write_bytes(b"weights")
    (tmp_path / "settings.json").write_text("{}")
    before = fingerprint(f"{family}:{tmp_path}")
    (tmp_path / "test.jsonl").write_text("a record")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "events.out.tfevents").write_bytes(b"log")
    assert fingerprint(f"{family}:{tmp_path}") == before != ""
    (tmp_path / "model.zip").write_bytes(b"weightz")
    assert fingerprint(f"{family}:{tmp_path}") != before


@pytest.mark.parametrize("name", ["chat:m@http://localhost:1/v1", "qwen:Hub/Model-3B"])
def test_what_is_elsewhere_is_known_by_its_name_alone(name: str) -> None:
    assert fingerprint(name) == ""
