"""Runs on a Ray cluster: the records of one machine, whatever dies on the way."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from benchmarks import run
from benchmarks.evaluation.on_ray import check_ray, play_on_ray
from benchmarks.evaluation.runner import Failure, Job, Outcome, play_all
from benchmarks.evaluation.suites import Part
from tests.benchmarks.players import Local
from zoomgym.records import Record

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.long

ON = "ray"
SMALL = {"split": "test", "source": "scene", "max_pixels": 256}
FAMILIES = ("flash", "sparse", "order", "relay", "count", "motion", "overview")
PLAYERS = "tests.benchmarks.players:"


def jobs_of(agents: tuple[str, ...], num_tasks: int, families: tuple[str, ...]) -> list[Job]:
    return [
        Job("tiny-v0", part, task_id, agent, 5, None, video=task_id)
        for family in families
        for part in [Part(num_tasks, {"tasks": f"synthetic:{family}", **SMALL})]
        for task_id in [f"{family}-easy-60s-test-{index:05d}" for index in range(num_tasks)]
        for agent in agents
    ]


def told(outcomes: list[Outcome]) -> dict[tuple[str, str], Outcome]:
    """Returns what came of each episode, without its seconds."""
    came: dict[tuple[str, str], Outcome] = {}
    for one in outcomes:
        if isinstance(one, Record):
            came[one.agent, one.task.id] = replace(one, agent_s=0.0, decode_s=0.0)
        else:
            came[one.agent, one.task_id] = one
    assert len(came) == len(outcomes)
    return came


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Two nodes of one core each; removes those that are left."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def play_here(jobs: list[Job]) -> list[Outcome]:
    return list(play_all(jobs, workers=2, at_once=None))


def play_there(jobs: list[Job]) -> list[Outcome]:
    return list(play_on_ray(jobs, on=ON, workers=1, at_once=None))


def test_a_cluster_gives_the_records_of_one_machine(nodes: Any) -> None:
    jobs = jobs_of(("random", "uniform", f"{PLAYERS}Local"), 3, ("flash", "relay"))
    Local.sizes.clear()
    there = told(play_there(jobs))
    assert Local.sizes == []  # a batch is played there, too
    assert there == told(play_here(jobs))
    assert all(isinstance(one, Record) for one in there.values())


def test_an_agent_that_ends_its_process_costs_only_its_own_episodes(nodes: Any) -> None:
    name = f"{PLAYERS}Dying"  # it does so where a star is an option: in tasks 0, 1 and 4
    there = told(play_there(jobs_of(("blind", name), 5, ("flash",))))
    lost = [one for one in there.values() if isinstance(one, Failure)]
    assert sorted((one.agent, one.task_id) for one in lost) == [
        (name, f"flash-easy-60s-test-{index:05d}") for index in (0, 1, 4)
    ]
    assert all("WorkerCrashedError" in one.reason for one in lost)
    assert len(there) == 10


def test_served_models_are_asked_from_here(nodes: Any) -> None:
    jobs = jobs_of((f"{PLAYERS}Served",), 6, ("flash",))  # which counts what threads ask at once
    assert told(play_there(jobs)) == told(play_here(jobs))


def test_a_run_that_is_closed_leaves_the_cluster_to_the_next(nodes: Any) -> None:
    outcomes = play_on_ray(
        jobs_of(("random", "uniform"), 40, ("flash",)), on=ON, workers=1, at_once=None
    )
    assert isinstance(next(outcomes), Record)
    outcomes.close()
    assert len(play_there(jobs_of(("blind",), 1, ("flash",)))) == 1


def test_a_worker_and_a_machine_that_die_lose_no_episode(nodes: Any) -> None:
    jobs = jobs_of(("blind", "random", "uniform", "glance"), 10, FAMILIES)
    came, killer = list[Outcome](), Thread(target=kill_a_busy_worker, daemon=True)
    for outcome in play_on_ray(jobs, on=ON, workers=1, at_once=None):
        came.append(outcome)
        if len(came) == 40:
            killer.start()
        if len(came) == 120:
            nodes.remove_node(nodes.worker_nodes.copy().pop(), allow_graceful=False)
    killer.join(10)
    assert not killer.is_alive()  # it has found one
    assert len(came) == len(jobs) == 280
    there = told(came)
    assert [one for one in came if isinstance(one, Failure)] == []
    assert there == told(play_here(jobs))


def kill_a_busy_worker() -> None:
    """Kills the process of a worker while it plays: its name says that it does."""
    while True:
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                name = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
                if name.startswith(b"ray::_outcomes"):
                    os.kill(int(entry.name), signal.SIGKILL)
                    return


def test_a_run_on_a_cluster_is_resumed_like_any_other(
    nodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["tasks", "synthetic:flash", "--env", "source=scene", "max_pixels=256", "--out"]
    given += [str(tmp_path), "--agents", "blind", "glance"]
    assert run.main([*given, "--limit", "2", "--on", "ray"]) == 0
    assert run.main([*given, "--limit", "3", "--on", "ray"]) == 0
    assert "2 new, 4 kept" in capsys.readouterr().out
    assert len((tmp_path / "records.jsonl").read_text().splitlines()) == 6


@pytest.mark.parametrize("on", ["slurm", "rays", "ray2:x"])
def test_only_ray_is_known(on: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["suite", "quick-v1", "--on", on])
    assert f"--on needs ray or ray:ADDRESS, got '{on}'" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"  # free once it is closed
    with pytest.raises(SystemExit):
        run.main(["suite", "quick-v1", "--out", str(tmp_path), "--on", f"ray:{address}"])
    assert f"needed a Ray cluster at {address}, got [Errno 111]" in capsys.readouterr().err


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.evaluation.on_ray.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"--on ray needs Ray: pip install .*\[ray\]"):
        check_ray("ray")
