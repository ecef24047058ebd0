"""ZoomEnv: an episode behind Gymnasium's interface."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from zoomgym.agent import Observation, keyed, observe
from zoomgym.envs.arguments import (
    DEFAULT_HORIZON_S,
    MAX_SKIPS,
    RENDER_MODES,
    Asked,
    asked_in,
    check_choices,
    checked_pixels,
    checked_size,
    checked_tasks,
    make_rules,
    with_preset,
)
from zoomgym.envs.display import Display
from zoomgym.envs.finders import Finder, find_finder
from zoomgym.envs.pickers import NamedPicker, find_picker
from zoomgym.envs.spaces import ReplySpace, end_reason, observation_space, to_dict, to_info
from zoomgym.envs.viewing import Viewing, check_tools, cues_of
from zoomgym.errors import VideoError
from zoomgym.grading import make_grader
from zoomgym.rules import (
    ONLY_ZOOM,
    Episode,
    RewardParts,
    VideoQuestion,
    advance,
    merge_weights,
    score,
)
from zoomgym.tasks import TaskSet, tasks_of
from zoomgym.video import Limits


class ZoomEnv(gym.Env[dict[str, Any], str]):
    """Answer a question about a long video: glance at the whole, zoom in where it matters, answer.

    ## Description

    An episode shows a coarse *overview* of a video and a question. Each turn takes one *reply*, a
    text: a *zoom call*, which is answered with the frames of that stretch at that rate, or an
    *answer*, which ends the episode. At most `max_turns` replies, `frames_per_zoom` frames a zoom
    and `frame_budget` frames in all. The rules are VideoZoomer's (arXiv 2512.22315).

    ## Observation Space

    A `Dict`. Times are seconds from the first frame; H, W is `frame_size`; frames keep their aspect
    ratio inside it. N = `num_overview`, the largest of several and 1 at least; K is the most clip
    frames the rules allow (64).

    | key | space | meaning |
    |---|---|---|
    | `overview` | Box uint8 (N, H, W, 3) | the overview, RGB, then zeros if it has fewer frames |
    | `overview_t` | Box float64 (N,) | its times, -1 where empty |
    | `clip` | Box uint8 (K, H, W, 3) | all clip frames so far, then zeros: see `clip_t` |
    | `clip_t` | Box float64 (K,) | their times, -1 where empty: `clip[clip_t >= 0]` are frames |
    | `clip_call` | Box int8 (K,) | which clip they are of, from 0, -1 where empty |
    | `duration` | Box float64 (1,) | of the video |
    | `question` | Text | the question and its lettered options |
    | `feedback` | Text | what came of the last reply |
    | `frames_left` | Discrete(`frame_budget` + 1) | frames that may still be shown |
    | `turns_left` | Discrete(`max_turns` + 1) | replies that may still be sent |

    Texts are printable ASCII here: accents are stripped, other characters become `?`. The whole
    text, and the frames at the video's own resolution, are in `env.unwrapped.observation`.

    ## Action Space

    A `Text` whose `sample()` draws valid replies. Any string may be sent; a bad one costs its turn
    and is answered with feedback. In the grammar `json` a reply is one JSON object,
    `{"segment": [12.5, 15.0], "fps": 2}` or `{"answer": "B"}`; in `video_zoom` it is
    `<think>..</think>` and one `<video_zoom>{..}</video_zoom>` or `<answer>B</answer>`.

    A zoom shows the frames at start + k / fps for k = 0 .. floor(fps * (end - start)) - 1. An end
    beyond the video is cut to it. Refused are numbers that are not finite, start < 0, start >= end,
    start >= duration, fps <= 0, and a number of frames that is 0, over `frames_per_zoom`, or more
    than are left.

    ## Rewards

    Before the end 0, then the weighted sum of these; the last only if they are given a weight.

    | term | weight | value |
    |---|---|---|
    | `accuracy` | 0.9 | 1 if the answer is right |
    | `format` | 0.1 | 1 if every reply was well-formed and executable and the last one answered |
    | `tool` | 0.5 | 1 if the answer is right and a call delivered frames, words or times |
    | `grounding` | 0 | if right, the fraction of evidence segments that a clip frame fell in |
    | `zoom_cost` | 0 | the number of executed zooms |
    | `evidence_iou` | 0 | if right, how far the evidence that the answer names overlaps the true |
    | `repeat_cost`, `tool_cost` | 0 | the numbers of calls that delivered nothing new; of all |

    ## Starting State

    A task drawn uniformly from the task set by the environment's own random numbers, or the one
    named by `reset(options={"task_id": ..})`. Its overview is paid for; frames that a picker only
    looked at are not: they are counted in `frames_scanned`, which `info` has unless it is uniform
    and nothing is searched.

    ## Episode End

    *Terminated* after an answer, or after reply number `max_turns`, whatever it was: a zoom in the
    last turn is not executed. *Truncated* only if a video fails in a zoom (see `on_video_error`).

    ## Arguments

    | argument | default | meaning |
    |---|---|---|
    | `tasks` | `"synthetic"` | a name for `open_task_set`, like `needle:FOLDER`, or a TaskSet |
    | `split` | `"train"` | or `"test"`: of all but manifests |
    | `duration_s` | 60 | of synthetic tasks, at least of needles: 30 to 36000 |
    | `difficulty` | `"easy"` | `"medium"`, `"hard"`, or a mapping: see `synthetic.Difficulty` |
    | `source` | `"file"` | `"scene"`: the same pictures without a codec, faster: for training |
    | `grammar` | `"json"` | or `"video_zoom"` |
    | `num_overview`, `frames_per_zoom` | 64, 16 | frames; of several `num_overview`, one is drawn |
    | `overview` | `"uniform"` | what picks its frames: `"random"`, `"change"`, .. see `pickers` |
    | `frame_budget`, `max_turns` | 128, 5 | frames in all, replies in all |
    | `reward_weights` | None | merged over the defaults above |
    | `grader` | `"strict"` | of open-ended answers: or `"math"`, `"segment"`, `{"judge": {..}}` |
    | `frame_size` | (112, 112) | (H, W) of the frames in the Dict observation; (0, 0): no frames |
    | `max_pixels` | None | bound of a frame in `unwrapped.observation`; lower is faster. None: |
    | | | 100352, and small frames of a drawn scene are drawn small, not shrunk from these |
    | `cache_dir` | None | where synthetic videos are written; None: the user's cache folder |
    | `on_video_error` | `"raise"` | `"skip"`: see below |
    | `on_damage` | `"nearest"` | frames that do not decode: the nearest earlier, or `"raise"` |
    | `limits` | None | of the work a video file may cause, like `{"call_s": 300}`: see `Limits` |
    | `subtitles` | False | whether a benchmark's questions hold its subtitles |
    | `tools` | `("zoom",)` | also `"crop"`, `"find"` and, where subtitles are, `"transcript"` |
    | `finder` | None | of the tool `find`: `module:function`, which scores frames by a text |
    | `preset` | `""` | how a peer's models play, like `"longvt"`: what is not given here |
    | `render_mode` | None | `"rgb_array"`, `"human"` or `"ansi"` |

    With `on_video_error="skip"`, a video that cannot be shown at reset is replaced by another one,
    drawn again; one that fails in a zoom ends its episode, `truncated` and without a reward. Both
    are counted in `videos_skipped`. A task that `reset` is told by its id is not replaced: what
    plays named tasks (`rollout`, `benchmarks.run`) passes over it.

    `info` has the same keys at every step: `task_id`, `video_id`, `category`, `error` (why the last
    reply was not executed), `end_reason` (`answered`, `out_of_turns`, `video_error` or empty),
    `turns_used`, `zooms`, `frames_used`, `reward_*` (the raw terms), `is_success`,
    `videos_skipped`, `frames_damaged` (see `on_damage`), and `answer` and `truth`, which are empty
    until the end.

    ## Version History

    * v0: first release
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium declares it so
        "render_modes": [*filter(None, RENDER_MODES)],
        "render_fps": 1,
    }

    @with_preset
    def __init__(
        self,
        tasks: str | Path | TaskSet = "synthetic",
        *,
        split: str = "train",
        duration_s: float = 60,
        difficulty: str | Mapping[str, Any] = "easy",
        source: str = "file",
        grammar: str = "json",
        num_overview: int | Sequence[int] = 64,
        overview: str | NamedPicker = "uniform",
        frames_per_zoom: int = 16,
        frame_budget: int = 128,
        max_turns: int = 5,
        reward_weights: Mapping[str, float] | None = None,
        grader: str | Mapping[str, Any] = "strict",
        frame_size: tuple[int, int] = (112, 112),
        max_pixels: int | None = None,
        cache_dir: str | Path | None = None,
        on_video_error: str = "raise",
        on_damage: str = "nearest",
        limits: Mapping[str, float] | None = None,
        subtitles: bool = False,
        tools: Sequence[str] = ONLY_ZOOM,
        finder: str | Finder | None = None,
        preset: str = "",
        render_mode: str | None = None,
    ) -> None:
        name, self._picker = find_picker(overview)
        counts = (frames_per_zoom, frame_budget, max_turns)
        named, self._finder = find_finder(finder)
        self.rules = make_rules(grammar, num_overview, counts, name, tools, named, preset)
        tasks = checked_tasks(tasks)
        check_choices(cache_dir, on_video_error, on_damage, subtitles, render_mode)
        self.reward_weights = merge_weights(reward_weights)
        self.grader = make_grader(grader, cache_dir)
        self.frame_size = checked_size(frame_size)
        self._max_pixels = checked_pixels(max_pixels)
        self._draws_small = max_pixels is None
        self.render_mode = render_mode
        self.settings = {
            "tasks": tasks if isinstance(tasks, str) else None,
            "split": split,
            "duration_s": duration_s,
            "difficulty": difficulty,
            "source": source,
            **self.rules.by_name(),
            "reward_weights": self.reward_weights,
            "grader": grader,
            "max_pixels": self._max_pixels,
            "on_damage": on_damage,
            "subtitles": subtitles,
        }
        """Arguments that play the same episodes again (without `tasks`, if that was no name)."""
        work = Limits.merged(limits)
        if isinstance(tasks, str):
            tasks = tasks_of(self.settings, cache_dir=cache_dir, limits=work)
        check_tools(tasks, self.rules)
        self.tasks: TaskSet = tasks
        horizon_s = getattr(self.tasks, "duration_s", DEFAULT_HORIZON_S)
        self.action_space: ReplySpace = ReplySpace(self.rules, horizon_s)
        self.observation_space = observation_space(self.rules, self.frame_size)
        self.on_video_error = on_video_error
        self.video_error: VideoError | None = None  # what ended the episode, if that was its video
        self._draw, self._videos_skipped, self._display = 0, 0, Display()
        self.draws_later = False  # see `Viewing`
        self._viewing: Viewing | None = None
        self._episode: Episode | None = None

    @property
    def episode(self) -> Episode:
        """The episode that is being played. Raises ResetNeeded before the first reset."""
        if not self._playing.key:  # it is told from what agents see, which nobody else needs
            self._episode = keyed(self._playing, self._draw, self.viewing.frames()[0])
        return self._playing

    @property
    def observation(self) -> Observation:
        """What an agent sees now, at the video's own aspect and resolution."""
        overview, *clips = self.viewing.frames()
        return observe(self.episode, overview, clips)

    @property
    def decode_s(self) -> float:
        """Seconds that its frames took to decode, now or for others. No info: it is not seeded."""
        return self.viewing.decode_s

    @property
    def small_frames(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The overview and all clip frames at `frame_size`: (N, H, W, 3) uint8 each."""
        return self.viewing.small()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: seeds all randomness of the environment.
            options: `{"task_id": ..}` names the task; None draws one. `{"overview": ..}`, an
                `Overview`, is shown instead of one that would be picked: for replays. So is
                `{"found": ..}`, what calls of `find` are told.

        Raises:
            TaskError: an option or a task is unknown.
            VideoError: the task's video cannot be shown (see `on_video_error`).
        """
        info = self.begin(seed=seed, options=options)
        return to_dict(self._playing, *self.small_frames), info

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Plays one turn with the agent's reply.

        Raises:
            ResetNeeded: the episode is over, or was never begun.
            TypeError: the reply is no text.
            VideoError: the frames of a call cannot be decoded (see `on_video_error`).
            FinderError: the finder cannot search. The turn is not played.
            GradingError: the answer cannot be graded now. The turn is not played: send it again.
        """
        outcome = self.play(action)
        return to_dict(self._playing, *self.small_frames), *outcome

    def begin(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Does what `reset` does, and returns the info alone: builds no Dict observation."""
        super().reset(seed=seed)
        asked = asked_in(options)
        task_id = asked.task_id
        self._videos_skipped = 0
        while True:
            if task_id is not None:
                task = self.tasks.by_id(task_id)
            else:
                task = self.tasks[int(self.np_random.integers(len(self.tasks)))]
            draw = int(self.np_random.integers(2**32))
            try:
                self._begin(task, draw, asked)
                break
            except VideoError:
                is_skipped = self.on_video_error == "skip" and task_id is None
                if not is_skipped or self._videos_skipped >= MAX_SKIPS:
                    raise
                self._videos_skipped += 1
        self.action_space.horizon_s = self._playing.duration_s
        self.action_space.num_options = len(task.options)
        self._render_for_human()
        return self._info()

    def play(self, action: str) -> tuple[float, bool, bool, dict[str, Any]]:
        """Does what `step` does, and returns all but the Dict observation, which is not built."""
        if not isinstance(action, str):
            raise TypeError(f"a reply needs to be a text, got {type(action).__name__}")
        if over := end_reason(self._playing, self.video_error):
            raise ResetNeeded(f"the episode is over ({over}): call reset first")
        viewing = self.viewing
        try:
            after = advance(self._playing, action, self.grader, viewing.tell, viewing.find)
            if call := after.turns[-1].shown:
                viewing.show(call.times_s, call.box)
        except VideoError as error:
            if self.on_video_error == "raise":
                raise
            self.video_error = error
            self._videos_skipped += 1
            return 0.0, False, True, self._info()
        self._episode = after  # not before: a video that fails leaves the turn unplayed
        self._render_for_human()
        parts = score(after, self.reward_weights)  # all zero before the end
        return parts.total(self.reward_weights), after.is_over, False, self._info(parts)

    def render(self) -> NDArray[np.uint8] | str | None:
        """Returns a picture (`rgb_array`) or a text (`ansi`), or shows the picture (`human`)."""
        if self.render_mode is None:
            gym.logger.warn("render() shows nothing: give render_mode when making the environment")
            return None
        seen = self.episode, self.viewing, self.reward_weights
        return self._display.render(self.render_mode, *seen)

    def fork(self) -> Self:
        """Returns an environment in the same state; the two go on apart.

        `gym.make` returns a wrapper: call `env.unwrapped.fork()` there. What was shown is shared:
        a fork costs next to nothing. The open video is shared too, and stays with this environment:
        its next reset, or close, ends the forks' episodes.
        """
        twin = copy.copy(self)
        twin._viewing = self._viewing and self._viewing.fork()
        twin._np_random = copy.deepcopy(self._np_random)
        twin.action_space = copy.deepcopy(self.action_space)
        return twin

    def close(self) -> None:
        """Closes the video and the window."""
        if self._viewing is not None:
            self._viewing.close()
        self._display.close()

    def _begin(self, task: VideoQuestion, draw: int, asked: Asked) -> None:
        """Opens a task's video and shows an overview. Raises VideoError, OverviewError."""
        self._episode, self.video_error = None, None  # until all has gone well
        if self._viewing is not None:
            self._viewing.close()
        video = self.tasks.open_video(task)  # may write the file: that is no decoding
        how = {"draws_small": self._draws_small, "draws_later": self.draws_later}
        self._viewing = Viewing(video, self._max_pixels, self.frame_size, **how)
        episode = self._viewing.start(task, self.rules, self._picker, draw, asked.overview)
        self._viewing.cues = cues_of(self.tasks, task, self.rules)
        self._viewing.finder, self._viewing.answers = self._finder, asked.found or {}
        self._draw, self._episode = draw, episode

    @property
    def _playing(self) -> Episode:
        """The episode, maybe without its key. Raises ResetNeeded before the first reset."""
        if self._episode is None:
            raise ResetNeeded("there is no episode yet: call reset first")
        return self._episode

    @property
    def viewing(self) -> Viewing:
        """What was shown of the episode. Raises ResetNeeded before the first reset."""
        return cast("Viewing", self._playing and self._viewing)

    def _info(self, parts: RewardParts | None = None) -> dict[str, Any]:
        """Returns the info; parts are the reward's, if they are known."""
        parts = parts or score(self._playing, self.reward_weights)
        counts = self._videos_skipped, self.viewing.num_damaged
        return to_info(self._playing, parts, self.video_error, *counts)

    def _render_for_human(self) -> None:
        """Shows the episode in a window, if that is the render mode."""
        if self.render_mode == "human":
            self.render()
