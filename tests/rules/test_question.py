import pytest

from tests.conftest import TASK
from zoomgym.errors import TaskError
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.timeline import Segment
from zoomgym.tasks import hash_tasks


def task(**fields: object) -> VideoQuestion:
    given = {"id": "q", "video": "a.mp4", "question": "?", "answer": "A", **fields}
    return VideoQuestion(**given)  # type: ignore[arg-type]


def test_the_truth_is_the_letter_of_an_option_or_the_answer_itself() -> None:
    assert TASK.truth == "B"
    assert task(options=("red", "green"), answer="green").truth == "B"
    assert task(answer="a dog").truth == "a dog"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": " "}, "id needs a text, got ' '"),
        ({"question": ""}, "question needs a text"),
        ({"id": "a\nb"}, r"id needs a text on one line, got 'a\\nb'"),
        ({"category": "\x1b[31mred"}, r"category needs a text on one line, got '\\x1b\[31mred'"),
        ({"labels": (("topic", "\ud800"),)}, "labels need texts on one line, got"),
        ({"options": ("red",)}, "options need 2 to 26 choices, got 1"),
        ({"options": tuple(map(str, range(27)))}, "options need 2 to 26 choices, got 27"),
        ({"options": ("red", "")}, "options need texts"),
        ({"options": ("red", "red")}, "options need distinct texts"),
        ({"options": ("red", "blue"), "answer": "C"}, "answer needs to be a letter or one of"),
        ({"options": ("B", "A"), "answer": "A"}, "reads as option A, but is the text of another"),
        ({"evidence": (Segment(2, 1),)}, r"evidence needs 0 <= start < end in seconds, got \[2, 1"),
        ({"evidence": (Segment(float("nan"), 1),)}, "evidence needs 0 <= start < end"),
        ({"evidence": (Segment(0, float("inf")),)}, "evidence needs 0 <= start < end"),
        ({"labels": (("topic", ""),)}, r"labels need texts, got \[\['topic', ''\]\]"),
    ],
)
def test_a_task_that_cannot_be_meant_cannot_exist(fields: dict[str, object], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        task(**fields)


def test_the_hash_of_tasks_is_that_of_every_field_in_order() -> None:
    assert hash_tasks([TASK]) == "09d96d150787"
    assert hash_tasks([TASK, task()]) != hash_tasks([task(), TASK])
    changes: list[dict[str, object]] = [
        {"id": "q2"}, {"video": "b.mp4"}, {"question": "!"}, {"answer": "B"},
        {"options": ("a", "b")}, {"evidence": (Segment(1, 2),)}, {"category": "x"},
        {"labels": (("x", "y"),)},
    ]  # fmt: skip
    assert len({hash_tasks([task(**change)]) for change in [{}, *changes]}) == len(changes) + 1
