import json
from pathlib import Path

import pytest

from agents.qwen.demonstrations.sharegpt import Message, Trajectory, write_sharegpt
from zoomgym.errors import TaskError

ASKED = Message("user", "<frame0_time0.00s><image><frame1_time1.00s><image>Which?")
ZOOM = Message("assistant", '<video_zoom>{"segment": [0, 1], "fps": 1}</video_zoom>')
SHOWN = Message("user", "<tool_response><image></tool_response>")
ANSWER = Message("assistant", "<answer>😀 B</answer>")
MESSAGES = (Message("system", "Zoom."), ASKED, ZOOM, SHOWN, ANSWER)
IMAGES = ("0.jpg", "1.jpg", "2.jpg")


def test_rows_are_a_json_list_of_messages_and_images(tmp_path: Path) -> None:
    write_sharegpt(tmp_path / "sft.json", [Trajectory(MESSAGES, IMAGES)])
    [row] = json.loads((tmp_path / "sft.json").read_text())
    assert row == {
        "messages": [{"role": said.role, "content": said.content} for said in MESSAGES],
        "images": ["0.jpg", "1.jpg", "2.jpg"],
    }


@pytest.mark.parametrize(
    ("messages", "images", "message"),
    [
        (MESSAGES, ("0.jpg",), "images needs as many as <image> stand in the messages, 3, got 1"),
        (MESSAGES, (), "images needs as many as <image> stand in the messages, 3, got 0"),
        ((ASKED,), ("a", "b"), "messages need one of the assistant, got none"),
        ((Message("gpt", ""),), (), "role needs one of system, user, assistant, got 'gpt'"),
    ],
)
def test_what_cannot_be_trained_on_is_an_error(
    messages: tuple[Message, ...], images: tuple[str, ...], message: str
) -> None:
    with pytest.raises(TaskError, match=message):
        Trajectory(messages, images)
