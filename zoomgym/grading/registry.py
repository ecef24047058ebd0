"""Makes the grader that a setting names."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from zoomgym.grading.formula import MathGrader
from zoomgym.grading.judge import JudgeGrader
from zoomgym.grading.segment import SegmentGrader
from zoomgym.grading.strict import STRICT, Grader
from zoomgym.io import brief, cache_folder

OWN_FIELDS = ("cache_dir", "sleep", "failures")
"""Fields of a judge that are not settings."""
NAMED: Mapping[str, Callable[[], Grader]] = {
    "strict": lambda: STRICT,
    "math": MathGrader,
    "segment": SegmentGrader,
}


def make_grader(
    setting: str | Mapping[str, Any] = "strict", cache_dir: str | Path | None = None
) -> Grader:
    """Returns the grader of open-ended questions that a setting, as JSON, names.

    Args:
        setting: `strict`, `math`, `segment`, `{"segment": {"iou": 0.5}}`, or
            `{"judge": {"url": .., "model": ..}}` with the settings of `JudgeGrader`.
        cache_dir: verdicts of a judge are kept in a folder in it; the user's cache folder if None.

    Raises:
        ValueError: there is no such grader, or a setting of it is invalid.
        GradingError: what the grader needs is not there: math-verify, or an API key.
    """
    if isinstance(setting, str) and setting in NAMED:
        return NAMED[setting]()
    if isinstance(setting, Mapping) and setting.keys() == {"segment"}:
        return _make_segment(setting["segment"])
    if not isinstance(setting, Mapping) or setting.keys() != {"judge"}:
        raise ValueError(
            f'grader needs "strict", "math", "segment", {{"segment": {{"iou": 0.5}}}} or '
            f'{{"judge": {{"url": .., "model": ..}}}}, got {brief(setting)}'
        )
    return _make_judge(setting["judge"], cache_folder("judge", cache_dir))


def _make_segment(settings: Any) -> SegmentGrader:
    """Returns a grader of segments with its settings. Raises ValueError."""
    if not isinstance(settings, Mapping) or not settings.keys() <= {"iou"}:
        raise ValueError(f"segment needs no settings but ['iou'], got {brief(settings)}")
    return SegmentGrader(**settings)


def _make_judge(settings: Any, cache_dir: Path) -> JudgeGrader:
    """Returns a judge with its settings. Raises ValueError, GradingError."""
    names = [field.name for field in fields(JudgeGrader) if field.name not in OWN_FIELDS]
    if not isinstance(settings, Mapping) or not {"url", "model"} <= settings.keys() <= {*names}:
        raise ValueError(f"judge needs settings from {names}, url and model among them")
    return JudgeGrader(**settings, cache_dir=cache_dir)
