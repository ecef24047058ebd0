import json
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import write_json, write_lines
from zoomgym.errors import TaskError
from zoomgym.tasks.datasets.sharegpt import Message, Trajectory, read_sharegpt, write_sharegpt

ROW: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Zoom."},
        {"role": "user", "content": "<frame0_time0.00s><image><frame1_time1.00s><image>Which?"},
        {"role": "assistant", "content": '<video_zoom>{"segment": [0, 1], "fps": 1}</video_zoom>'},
        {"role": "user", "content": "<tool_response><image></tool_response>"},
        {"role": "assistant", "content": "<answer>😀 B</answer>"},
    ],
    "images": ["0.jpg", "1.jpg", "2.jpg"],
}


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    [trajectory] = read_sharegpt(write_json(tmp_path / "sft.json", [ROW]))
    assert trajectory.images == ("0.jpg", "1.jpg", "2.jpg")
    assert trajectory.messages[3] == Message("user", "<tool_response><image></tool_response>")
    write_sharegpt(tmp_path / "again.json", [trajectory])
    assert json.loads((tmp_path / "again.json").read_text()) == [ROW]
    assert list(read_sharegpt(tmp_path / "again.json")) == [trajectory]
    assert list(read_sharegpt(write_lines(tmp_path / "sft.jsonl", ROW))) == [trajectory]


def test_a_conversation_without_images_may_leave_them_out(tmp_path: Path) -> None:
    messages = [{"role": "assistant", "content": "Hello"}]
    [trajectory] = read_sharegpt(write_json(tmp_path / "a.json", [{"messages": messages}]))
    assert trajectory == Trajectory((Message("assistant", "Hello"),), ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"images": ["0.jpg"]},
            "images needs as many as <image> stand in the messages, 3, got 1",
        ),
        ({"images": []}, "images needs as many as <image> stand in the messages, 3, got 0"),
        ({"images": [1]}, "images needs a text, got 1"),
        ({"messages": ROW["messages"][:2], "images": ["a", "b"]}, "one of the assistant, got none"),
        ({"messages": [{"role": "gpt", "content": ""}]}, "role needs one of system, user, assist"),
        ({"messages": [{"role": "user"}]}, "needed the key 'content'"),
        ({"messages": ["hi"]}, "messages needs a list of objects with role and content"),
        ({"messages": None}, "needed the key 'messages'"),
        ({"videos": []}, r"needed no keys but 'messages' and 'images', got \['videos'\]"),
    ],
)
def test_a_bad_row_is_an_error_that_names_file_and_row(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = write_json(tmp_path / "sft.json", [ROW, {**ROW, **change}])
    with pytest.raises(TaskError, match=rf"sft\.json row 2: .*{message}"):
        list(read_sharegpt(path))
