"""Claims are judged by intervals that hold for all at once; a false one is told."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from agents.registry import AGENTS, make_agent
from benchmarks import run
from benchmarks.evaluation.claims import ClaimOutcome, judge, show_verdict
from benchmarks.evaluation.statistics import wilson
from benchmarks.evaluation.suites import SUITES, Claim, Level, Part, Suite, make_env
from tests.playing import play_episode
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.tasks.synthetic import FAMILIES

CHANCE, LOW, SOLVED = Level.CHANCE, Level.LOW, Level.SOLVED
HOLDS, FAILS, OPEN = ClaimOutcome.HOLDS, ClaimOutcome.FAILS, ClaimOutcome.OPEN


@pytest.fixture(scope="module")
def record() -> Record:
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=64, frame_size=(8, 8))
    agent = make_agent("blind")
    agent.reset(0)
    return play_episode(env, agent, agent_name="blind", seed=0)


def results(record: Record, agent: str, family: str, num_right: int, num: int) -> list[Record]:
    """Returns records of an agent on a family, with four options, num_right of num right."""
    task = replace(record.task, category=family)
    return [
        replace(
            record,
            agent=agent,
            task=task,
            reward_parts=replace(record.reward_parts, accuracy=float(index < num_right)),
        )
        for index in range(num)
    ]


@pytest.mark.parametrize(
    ("level", "num_right", "num", "outcome"),
    [
        (CHANCE, 50, 200, HOLDS),
        (CHANCE, 61, 200, HOLDS),
        (CHANCE, 63, 200, FAILS),  # 0.315 (0.255..0.382)
        (CHANCE, 37, 200, FAILS),  # systematically wrong is not chance either
        (CHANCE, 200, 200, FAILS),
        (CHANCE, 4, 16, OPEN),
        (LOW, 50, 200, HOLDS),
        (LOW, 111, 200, HOLDS),
        (LOW, 112, 200, OPEN),  # 0.560 (0.491..0.627): the middle is 0.625
        (LOW, 138, 200, OPEN),
        (LOW, 139, 200, FAILS),
        (SOLVED, 200, 200, HOLDS),
        (SOLVED, 189, 200, HOLDS),
        (SOLVED, 188, 200, OPEN),
        (SOLVED, 12, 12, OPEN),
        (SOLVED, 172, 200, OPEN),
        (SOLVED, 171, 200, FAILS),
    ],
)
def test_a_claim_holds_fails_or_needs_more_tasks(
    record: Record, level: Level, num_right: int, num: int, outcome: ClaimOutcome
) -> None:
    records = results(record, "a", "x", num_right, num)
    [finding] = judge([Claim("a", level, ("x",))], records)
    assert (finding.estimate, finding.chance) == (
        wilson([1] * num_right + [0] * (num - num_right)),
        0.25,
    )
    assert finding.outcome is outcome


def test_the_more_is_claimed_the_wider_is_each_interval(record: Record) -> None:
    families = tuple(f"family {index}" for index in range(20))
    records = [one for name in families for one in results(record, "a", name, 63, 200)]
    [alone] = judge([Claim("a", CHANCE, families[:1])], records)
    among = judge([Claim("a", CHANCE, families)], records)
    assert alone.outcome is FAILS
    assert [finding.outcome for finding in among] == [HOLDS] * 20
    assert among[0].estimate == wilson([1] * 63 + [0] * 137, 0.9975)  # 5% shared by 20


def test_what_was_not_played_is_not_judged(record: Record) -> None:
    records = results(record, "a", "x", 50, 200)
    assert judge([Claim("b", CHANCE, ("x",)), Claim("a", CHANCE, ("y",))], records) == []
    [finding] = judge([Claim("a", CHANCE, ("x", "y"))], records)
    assert finding.family == "x"
    ungraded = [replace(one, grading="ungraded") for one in records]
    assert judge([Claim("a", CHANCE, ("x",))], ungraded) == []


def test_the_verdict_names_what_fails_and_what_is_open(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        *results(record, "a", "x", 50, 200),
        *results(record, "a", "y", 120, 200),
        *results(record, "a", "z", 6, 20),
    ]
    show_verdict(Console(width=132), judge([Claim("a", CHANCE, ("x", "y", "z"))], records))
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
    ]
    said = [row for row in rows if row]
    assert said == [
        ["a", "at chance", "x", "holds"],
        ["a", "at chance", "y: 0.600 (0.515..0.679)", "fails"],
        ["a", "at chance", "z: 0.300 (0.124..0.565)", "open: needs more tasks"],
    ]


@pytest.mark.parametrize("width", [66, 80, 120])
def test_no_interval_of_a_verdict_is_broken(
    width: int, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        *results(record, "coarse_to_fine", "overview", 120, 200),
        *results(record, "coarse_to_fine", "motion", 10, 20),
    ]
    claims = [Claim("coarse_to_fine", Level.LOW, ("overview", "motion"))]
    show_verdict(Console(width=width), judge(claims, records))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    for family, num_right, count in (("overview", 120, 200), ("motion", 10, 20)):
        one = wilson([1] * num_right + [0] * (count - num_right), 0.975)
        assert f"{family}: {one.mean:.3f} ({one.low:.3f}..{one.high:.3f})" in printed


SMALL = {"split": "test", "source": "scene", "max_pixels": 32 * 32, "frame_size": (8, 8)}
NUM_TASKS = 8


def small_run(agents: Sequence[str]) -> list[Record]:
    """Returns what agents make of the first tasks of every family, in small pictures."""
    records: list[Record] = []
    for family in FAMILIES:
        env = ZoomEnv(f"synthetic:{family}", **SMALL)  # type: ignore[arg-type]
        task_ids = [env.tasks[index].id for index in range(NUM_TASKS)]
        for name in agents:
            played = run_episodes(env, make_agent(name), agent_name=name, task_ids=task_ids, seed=0)
            records += played
    return records


def num_right(records: Sequence[Record], agent: str) -> dict[str, int]:
    """Returns how many answers of an agent are right, by family."""
    return {
        family: sum(
            record.reward_parts.accuracy == 1
            for record in records
            if (record.agent, record.task.category) == (agent, family)
        )
        for family in FAMILIES
    }


@pytest.mark.long
def test_each_family_needs_what_it_says_at_small_size() -> None:
    suite = SUITES["families-v0"]
    records = small_run(["blind", "glance", "slow", "half", "once", "oracle"])
    all_right = dict.fromkeys(FAMILIES, NUM_TASKS)
    blind = num_right(records, "blind")
    assert num_right(records, "glance") == {**blind, "overview": NUM_TASKS}
    assert num_right(records, "oracle") == all_right
    once, slow, half = (num_right(records, name) for name in ("once", "slow", "half"))
    assert {name for name in FAMILIES if once[name] < NUM_TASKS} == {"relay"}
    assert {name for name in FAMILIES if slow[name] < NUM_TASKS} == {"count", "motion"}
    assert {name for name in FAMILIES if half[name] < NUM_TASKS} == {"count", "motion"}
    findings = judge(suite.claims, records)
    assert len(findings) == sum(len(claim.families) for claim in suite.claims) == 32
    assert ClaimOutcome.FAILS not in {finding.outcome for finding in findings}
    assert ClaimOutcome.OPEN in {
        finding.outcome for finding in findings
    }  # so few tasks prove little


def test_every_claim_of_a_suite_is_about_what_it_runs() -> None:
    for suite in SUITES.values():
        sets = {make_env(part).tasks[0].category for part in suite.parts}
        for claim in suite.claims:
            assert claim.agent in suite.agents
            assert set(claim.families) <= sets
        assert set(suite.agents) <= set(AGENTS)


@pytest.mark.long
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("claim", "said", "status"),
    [
        (Claim("oracle", CHANCE, ("flash",)), "Verdict: 0 of 1 claims hold, 1 fail.", 1),
        (Claim("blind", SOLVED, ("flash",)), "Verdict: 0 of 1 claims hold, 1 fail.", 1),
        (Claim("oracle", SOLVED, ("flash",)), "Verdict: 0 of 1 claims hold, 1 open.", 0),
    ],
)
def test_a_run_ends_with_a_verdict_and_a_false_claim_makes_it_fail(
    claim: Claim,
    said: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    part = Part(8, {"tasks": "synthetic:flash", **SMALL})
    suite = Suite("claims-v0", "a test", (part,), ("blind", "oracle"), claims=(claim,))
    monkeypatch.setitem(SUITES, suite.name, suite)
    arguments = ["suite", suite.name, "--out", str(tmp_path), "--workers", "1"]
    assert run.main(arguments) == status
    assert said in capsys.readouterr().out.splitlines()


@pytest.mark.usefixtures("here")
def test_a_suite_without_claims_ends_without_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = Suite(
        "plain-v0", "a test", (Part(1, {"tasks": "synthetic:flash", **SMALL}),), ("blind",)
    )
    monkeypatch.setitem(SUITES, suite.name, suite)
    assert run.main(["suite", suite.name, "--out", str(tmp_path), "--workers", "1"]) == 0
    assert "Verdict" not in capsys.readouterr().out
