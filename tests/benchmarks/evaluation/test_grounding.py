import pytest

from benchmarks.evaluation.grounding import GROUNDING
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played, with_evidence, zoom
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.synthetic.questions import COUNT

THERE, AWAY = zoom(20, 21, 10), zoom(30, 31, 8)
TWO = with_evidence((20.1, 20.5), (40.1, 40.5))


@pytest.mark.parametrize(
    ("replies", "task", "expected"),
    [
        ([THERE], TASK, (1, 1, None, 1)),
        ([AWAY], TASK, (0, 0, 0, 0)),
        ([AWAY, THERE], TASK, (1, 0, 1, 1)),
        ([THERE, AWAY], TASK, (1, 1, None, 1)),
        ([zoom(20, 21, 1)], TASK, (0, 0, 0, 0)),  # over it, but between two frames
        ([THERE], TWO, (1, 1, None, 0)),
        ([zoom(20, 21, 6)], with_evidence((20, 21), question=COUNT), (1, 1, None, 0)),
        (["what?", THERE], TASK, (1, 1, None, 1)),  # no zoom, so not the first one
        ([], TASK, (None, None, None, None)),
        ([THERE], with_evidence(), (None, None, None, None)),
    ],
)
def test_grounding_says_where_zooms_fell(
    replies: list[str], task: VideoQuestion, expected: tuple[float | None, ...]
) -> None:
    for answer in (RIGHT, WRONG):
        record = played(*replies, answer, task=task)
        assert tuple(metric.of(record) for metric in GROUNDING) == expected
