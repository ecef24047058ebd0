"""Every agent keeps its contract; the reader sees what is there; oracle proves it can be seen."""

import re

import numpy as np
import pytest

from agents.registry import AGENTS, make_agent
from agents.synthetic import pictures
from agents.synthetic.reader import see
from benchmarks.evaluation.statistics import wilson
from tests.envs.test_env import Fixed
from tests.playing import play_episode
from zoomgym import ZoomEnv
from zoomgym.agent import episode_rng
from zoomgym.agent.observation import Frames, look
from zoomgym.rollout import run_episodes
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.synthetic import DIFFICULTIES, FAMILIES, SYMBOLS, SyntheticTasks
from zoomgym.tasks.synthetic.layout import AMBER, BLUE
from zoomgym.tasks.synthetic.marks import Beacon, Sign
from zoomgym.tasks.synthetic.scene import Scene
from zoomgym.testing import check_agent


@pytest.mark.long
@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_keeps_the_contract(name: str) -> None:
    records = check_agent(AGENTS[name])
    assert [record.end_reason for record in records] == ["answered"] * 6
    assert all(record.reward_parts.format == 1 for record in records)


def test_the_contract_finds_an_agent_that_depends_on_what_it_played_before() -> None:
    class Counting:
        def reset(self, seed: int) -> None:
            self._count = 0

        def act(self, observation: object) -> str:
            self._count += 1
            return f'{{"answer": "{self._count}"}}'

    with pytest.raises(AssertionError, match="needed the same replies whatever was played before"):
        check_agent(Counting)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"agent needs one of blind, glance, .*, got 'blnd'"):
        make_agent("blnd")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("blnd", "got 'blnd': did you mean blind?"),
        ("chat", "got 'chat': did you mean chat:MODEL@URL?"),
        ("nothing", "or module:Class, got 'nothing'"),
        (":Agent", "agent needs module:Class, like my_module:Agent, got ':Agent'"),
        ("my_module:", "agent needs module:Class, like my_module:MyAgent, got 'my_module:'"),
        ("./a/b.py:Agent", "agent needs module:Class, like a.b:Agent, got './a/b.py:Agent'"),
        (
            "no_folder.b:Agent",
            "needed a module no_folder, got none: start in the folder that holds no_folder/b.py, "
            "or name that folder in PYTHONPATH",
        ),
        ("agents.synthetic.reader:Agnt", "agents.synthetic.reader has no Agnt: check its name"),
        ("json:loads", "needs a class that takes no arguments, got: missing a required argument"),
        ("json:decoder", "needs a class that takes no arguments, got: "),
        ("json:JSONDecoder", "needs the methods reset(seed) and act(observation), got JSONDec"),
    ],
)
def test_a_name_that_means_no_agent_is_told_what_to_do(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        make_agent(name)


@pytest.mark.parametrize("side", [28, 32, 112, 256])
@pytest.mark.parametrize("opacity", [1.0, 0.8])
def test_the_reader_reads_every_symbol_anywhere_at_any_size(side: int, opacity: float) -> None:
    names = list(SYMBOLS)
    for seed in range(5):
        lefts = np.random.default_rng(seed).uniform(0, 0.44, len(names))
        signs = tuple(
            Sign(i, i + 1, name, left)
            for i, (name, left) in enumerate(zip(names, lefts, strict=True))
        )
        scene = Scene(seed, 20, (Beacon(2, 4, AMBER), Beacon(5, 6, BLUE)), signs, opacity)
        images = scene.draw(np.arange(20), (side, side))
        sight = see(Frames(tuple(range(20)), images))
        assert sight.plates(pictures.symbols()) == [*names, *[None] * 12]
        lamps = {2: "amber", 3: "amber", 5: "blue"}
        assert sight.beacons == tuple(lamps.get(i) for i in range(20))


def test_the_reader_sees_nothing_in_noise() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 96, 160, 3), dtype=np.uint8)
    flat = np.full((3, 50, 50, 3), (0, 90, 255), np.uint8)
    for shown in (images, flat):
        sight = see(Frames(tuple(range(len(shown))), shown))
        assert set(sight.plates(pictures.symbols())) == {None}


def small_env(tasks: str, **settings: object) -> ZoomEnv:
    """Returns an environment with frames of 112 x 112 and next to none in its Dict."""
    given = {"split": "test", "source": "scene", "max_pixels": 112 * 112, "frame_size": (8, 8)}
    return ZoomEnv(tasks, **{**given, **settings})  # type: ignore[arg-type]


def run(agent: str, tasks: str, num_tasks: int, **settings: object) -> list[float]:
    env = small_env(tasks, **settings)
    task_ids = [env.tasks[index].id for index in range(num_tasks)]
    records = run_episodes(env, make_agent(agent), agent_name=agent, task_ids=task_ids, seed=0)
    return [record.reward_parts.accuracy for record in records]


@pytest.mark.long
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
@pytest.mark.parametrize("duration_s", [30, 600, 36_000])
@pytest.mark.parametrize("num_each", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_the_oracle_is_always_right(difficulty: str, duration_s: int, num_each: int) -> None:
    num_tasks = num_each * len(FAMILIES)
    right = run("oracle", "synthetic", num_tasks, difficulty=difficulty, duration_s=duration_s)
    assert right == [1.0] * num_tasks


def test_the_oracle_does_not_zoom_where_the_overview_answers() -> None:
    agent = make_agent("oracle")
    agent.reset(0)
    record = play_episode(small_env("synthetic:overview"), agent, agent_name="oracle", seed=0)
    assert (record.reward_parts.accuracy, len(record.turns)) == (1.0, 1)


def test_glance_reads_the_overview_family_and_guesses_elsewhere() -> None:
    small = {"max_pixels": 32 * 32}
    assert run("glance", "synthetic:overview", 12, **small) == [1.0] * 12
    for family in FAMILIES.keys() - {"overview"}:
        tasks = f"synthetic:{family}"
        assert run("glance", tasks, 12, **small) == run("blind", tasks, 12, **small)


def test_the_oracle_is_told_evidence_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=1024)
    told = []

    class Listening:
        privileged = True

        def reset(self, seed: int) -> None:
            pass

        def act(self, observation: object) -> str:
            told.append(observation)
            return '{"answer": "A"}'

    record = play_episode(env, Listening(), agent_name="x", seed=0)
    Listening.privileged = False
    play_episode(env, Listening(), agent_name="x", seed=0)
    assert told[0].evidence == record.task.evidence  # type: ignore[attr-defined]
    assert told[1].evidence == ()  # type: ignore[attr-defined]
    for name in ("answer", "truth", "task"):
        assert not hasattr(told[0], name)


def test_uniform_spreads_its_budget_evenly() -> None:
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=1024)
    record = play_episode(env, make_uniform(), agent_name="uniform", seed=0)
    zooms = [turn.zoom for turn in record.turns if turn.zoom]
    assert [(zoom.start_s, zoom.end_s, zoom.num_frames) for zoom in zooms] == [
        (0, 15, 16), (15, 30, 16), (30, 45, 16), (45, 60, 16),
    ]  # fmt: skip


def make_uniform() -> object:
    agent = make_agent("uniform")
    agent.reset(0)
    return agent


def test_agents_play_open_questions_on_any_video_too() -> None:
    task = VideoQuestion(id="q", video="v", question="Who?", answer="nobody")
    for name in AGENTS:
        env = ZoomEnv(Fixed(task), max_pixels=1024)
        agent = make_agent(name)
        agent.reset(0)
        record = play_episode(env, agent, agent_name=name, seed=0)
        assert (record.end_reason, record.answer) == ("answered", "unknown")


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "families", "chance"),
    [
        ("blind", "flash,count,order,relay,overview,sparse", 0.25),
        ("glance", "flash,count,order,relay,sparse", 0.25),
        ("blind", "motion", 0.5),
        ("glance", "motion", 0.5),
    ],
)
def test_who_cannot_see_the_answer_is_at_chance(name: str, families: str, chance: float) -> None:
    estimate = wilson(run(name, f"synthetic:{families}", 160, max_pixels=32 * 32))
    assert estimate.low < chance < estimate.high
    assert estimate.high - estimate.low < 0.16


def test_random_numbers_differ_by_seed_by_episode_and_by_turn() -> None:
    env = small_env("synthetic:flash")
    draws = []
    for seed, index in ((0, 0), (1, 0), (0, 1)):
        env.reset(seed=0, options={"task_id": env.tasks[index].id})
        for _ in range(2):
            draws.append(episode_rng(seed, env.observation).random())
            env.step("nothing")
    assert len(set(draws)) == 6


def test_looking_at_a_scene_gives_its_own_pictures() -> None:
    tasks = SyntheticTasks(("flash",), "train", 30, "easy", "scene")
    frames = look(tasks.open_video(tasks[0]), (0.0, 1.0), 10**6)
    assert frames.images.shape == (2, 256, 256, 3)
