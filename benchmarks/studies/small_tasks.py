"""Small tasks, which a small model learns within minutes on a CPU, and an expert for them.

Videos are 80 seconds long, overviews have nine frames, ten seconds apart, and a zoom shows four.
What lies between two frames of the overview is a *gap*.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from agents.synthetic.reader import read_option
from agents.synthetic.replies import SeededAgent, reply
from benchmarks.studies.plan import Measure
from zoomgym import ZoomEnv
from zoomgym.agent import Observation, episode_rng
from zoomgym.records import Record
from zoomgym.rules import Answer, ZoomCall
from zoomgym.tasks import AMBER, FAMILIES, FPS, NUM_OPTIONS, Beacon, Family, Plan, Puzzle, Sign

GAP = 10 * FPS
"""Frames of the video from one frame of the overview to the next."""
NUM_GAPS = 8
EARLY = GAP // 8
"""Frames by which a beacon that leads to a gap is lit, and put out, before the gap's edges."""
NUM_ZOOMED = 4
"""Frames of a zoom."""
SHOWN_FRAMES = GAP // NUM_ZOOMED + 1
"""Frames that a symbol shows: so many that a zoom on its gap cannot miss it."""
ZOOM_FPS = NUM_ZOOMED * FPS / GAP
"""Frames a second of a zoom on a gap."""
ANYWHERE = 1_000
"""Error of an expert that looks anywhere: more gaps than any video has."""
ENV: Mapping[str, Any] = {
    "source": "scene",
    "grammar": "video_zoom",
    "difficulty": {"preset": "easy", "symbols": 5},
    "frames_per_zoom": NUM_ZOOMED,
    "max_pixels": 28 * 28,
    "frame_size": (8, 8),
}
"""Arguments of the environment, but for tasks, turns and length."""
LED = "small_flash,small_order"
"""Families in which a lit beacon leads to the gap."""


# Tasks --------------------------------------------------------------------------------------------


def _flash(plan: Plan) -> Puzzle:
    """Draws a symbol in a gap; the beacon is lit in the frame before."""
    gap = _draw_gap(plan)
    start = gap * GAP + int(plan.rng.integers(EARLY, GAP - EARLY - SHOWN_FRAMES))
    sign = Sign(start, start + SHOWN_FRAMES, plan.symbols()[0], plan.left())
    return _puzzle(plan, FLASH, [_leading(gap)], [sign], num_asked=1)


def _order(plan: Plan) -> Puzzle:
    """Draws two symbols in a gap, and asks for the first."""
    gap = _draw_gap(plan)
    first, second, *_ = plan.symbols()
    one = gap * GAP + int(plan.rng.integers(1, GAP // 2 - SHOWN_FRAMES))
    other = gap * GAP + int(plan.rng.integers(GAP // 2 + 1, GAP - SHOWN_FRAMES))
    signs = [
        Sign(one, one + SHOWN_FRAMES, first, plan.left()),
        Sign(other, other + SHOWN_FRAMES, second, plan.left()),
    ]
    return _puzzle(plan, ORDER, [_leading(gap)], signs, num_asked=2)


def _sparse(plan: Plan) -> Puzzle:
    """Draws a symbol in a gap, to which nothing in the overview leads."""
    gap = _draw_gap(plan)
    start = gap * GAP + int(plan.rng.integers(EARLY, GAP - EARLY - SHOWN_FRAMES))
    sign = Sign(start, start + SHOWN_FRAMES, plan.symbols()[0], plan.left())
    return _puzzle(plan, SPARSE, [Beacon(start, start + SHOWN_FRAMES, AMBER)], [sign], num_asked=1)


def _beside(plan: Plan) -> Puzzle:
    """Draws a symbol in one of two gaps; the beacon is lit with it, and about the frame between."""
    edge = int(plan.rng.integers(1, _num_gaps(plan)))
    gap = edge - int(plan.rng.integers(2))
    start = gap * GAP + int(plan.rng.integers(EARLY, GAP - EARLY - SHOWN_FRAMES))
    sign = Sign(start, start + SHOWN_FRAMES, plan.symbols()[0], plan.left())
    between = Beacon(edge * GAP - EARLY, edge * GAP + EARLY, AMBER)
    beacons = sorted([between, Beacon(sign.first, sign.end, AMBER)], key=lambda one: one.first)
    return _puzzle(plan, BESIDE, beacons, [sign], num_asked=1)


def _shown(plan: Plan) -> Puzzle:
    """Draws a symbol that every frame shows: zooms are needless."""
    sign = Sign(0, plan.num_frames, plan.symbols()[0], plan.left())
    return _puzzle(plan, SHOWN, [Beacon(0, plan.num_frames, AMBER)], [sign], num_asked=1)


def _draw_gap(plan: Plan) -> int:
    return int(plan.rng.integers(_num_gaps(plan)))


def _num_gaps(plan: Plan) -> int:
    return (plan.num_frames - 1) // GAP


def _leading(gap: int) -> Beacon:
    """Returns the beacon that is lit in the one frame of the overview at which a gap begins."""
    return Beacon(max(0, gap * GAP - EARLY), (gap + 1) * GAP - EARLY, AMBER)


def _puzzle(
    plan: Plan, question: str, beacons: Sequence[Beacon], signs: Sequence[Sign], num_asked: int
) -> Puzzle:
    right = signs[0].symbol
    others = [one.symbol for one in signs[1:num_asked]]
    others += [name for name in plan.symbols() if name not in (right, *others)]
    evidence = tuple(one.segment for one in signs)
    scene = plan.scene(beacons, signs)
    return Puzzle(scene, question, right, tuple(others[: NUM_OPTIONS - 1]), evidence)


FLASH = "While the amber beacon is lit, a symbol shows. Which?"
ORDER = "While the amber beacon is lit, two symbols show. Which is the first?"
SPARSE = "The amber beacon is lit between two frames. Which symbol shows meanwhile?"
BESIDE = "Before or after the amber beacon is lit, a symbol shows. Which?"
SHOWN = "The amber beacon is lit all the time, and so shows a symbol. Which?"
SMALL = {
    "small_flash": Family(_flash, FLASH),
    "small_order": Family(_order, ORDER),
    "small_sparse": Family(_sparse, SPARSE),
    "small_beside": Family(_beside, BESIDE),
    "small_shown": Family(_shown, SHOWN),
}
"""The families of small tasks, by name: those of the whole set, fitted to nine frames."""


@contextmanager
def small_tasks(families: Mapping[str, Family] = SMALL) -> Iterator[None]:
    """Adds families of small tasks to all others, while they are played."""
    added = {name: family for name, family in families.items() if name not in FAMILIES}
    FAMILIES.update(added)
    try:
        yield
    finally:
        for name in added:
            del FAMILIES[name]


def small_env(
    families: str, max_turns: int, num_gaps: int = NUM_GAPS, **changes: Any
) -> dict[str, Any]:
    """Returns the arguments of an environment of small tasks.

    Args:
        families: names, with commas between them.
        max_turns: zooms, and an answer.
        num_gaps: of every video; the overview has a frame more.
        changes: further arguments, or others.
    """
    length = {
        "duration_s": (num_gaps * GAP + 1) / FPS,
        "num_overview": num_gaps + 1,
        "frame_budget": max(32, num_gaps + 24),  # more than all zooms show
    }
    own = {"tasks": f"synthetic:{families}", **ENV, **length, "max_turns": max_turns}
    return {**own, **changes}


def ids_of(env: Mapping[str, Any], first: int, count: int, split: str = "train") -> list[str]:
    """Returns so many tasks of an environment, from the one with an index on."""
    tasks = ZoomEnv(split=split, **env).tasks
    return [tasks[first + k].id for k in range(count)]


# The expert ---------------------------------------------------------------------------------------


class Guide(SeededAgent):
    """Zooms on the gap with the evidence, or misses it by an error, and reads what it is shown.

    It answers at once if the overview shows a symbol. After a zoom that showed none it guesses, or
    looks again if it is told to correct another agent.

    Args:
        error: most gaps by which its zooms are off, each as likely; `ANYWHERE` is any gap.
        habit: `zoom` or `answer`, which it does first, whatever the overview shows; or `blind`,
            which zooms, and then says that it sees any of the options.
    """

    privileged = True

    def __init__(self, error: int = 0, *, habit: str = "") -> None:
        self._error, self._habit = error, habit

    def act(self, observation: Observation) -> str:
        """Zooms, or answers."""
        found = read_option(observation)
        habit = self._habit or ("answer" if found else "zoom")
        if not observation.turns and habit != "answer":
            return self._zoom(observation, "I look there.")
        return self._answer(observation, found)

    def correct(self, observation: Observation, wrong: str | None) -> str:
        """Says what was wrong, and looks again."""
        found = read_option(observation)
        if found or observation.turns_left < 2:
            return self._answer(observation, found)
        return self._zoom(observation, "It is not there. I look on.")

    def _zoom(self, observation: Observation, thought: str) -> str:
        times_s = observation.overview.times_s
        gap = int(observation.evidence[0].start_s * FPS) // GAP
        rng = episode_rng(self._seed, observation)
        is_lost = self._error > 0 and observation.question.startswith(SPARSE)
        error = ANYWHERE if is_lost else self._error
        near = [one for one in range(len(times_s) - 1) if abs(one - gap) <= error]
        gap = int(rng.choice(near))
        start_s, end_s = (round(float(times_s[index]), 2) for index in (gap, gap + 1))
        return reply(observation, ZoomCall(start_s, end_s, ZOOM_FPS), thought)

    def _answer(self, observation: Observation, found: str | None) -> str:
        rng = episode_rng(self._seed, observation)
        guessed = str(rng.choice(observation.options))
        if self._habit == "blind":
            found = guessed
        if found:
            return reply(observation, Answer(found), f"I see {found}.")
        return reply(observation, Answer(guessed), "I did not see it.")


# Measures -----------------------------------------------------------------------------------------


def first_zoom_on_evidence(record: Record) -> float:
    """Returns whether a frame of the first zoom shows evidence; 0 without a zoom."""
    times_s = record.episode.zooms[0].times_s if record.episode.zooms else ()
    return float(any(one.holds(time_s) for one in record.task.evidence for time_s in times_s))


def has_zoomed(record: Record) -> float:
    """Returns whether there was a zoom."""
    return float(bool(record.episode.zooms))


def in_family(measure: Measure, family: str) -> Measure:
    """Returns a measure of one family's episodes alone."""
    return lambda record: measure(record) if record.task.category == family else None
