"""An episode that the loop of another framework plays."""

import pytest
from gymnasium.error import ResetNeeded

from zoomgym import TaskError, ZoomEnv
from zoomgym.conversation import images_of, text_of
from zoomgym.integrations.session import Session, session_with
from zoomgym.records import replay

ZOOM = '{"segment": [4, 6], "fps": 2}'


def new_session(**arguments: int) -> Session:
    return Session(ZoomEnv("synthetic:flash", source="scene", num_overview=4, **arguments))


def right_answer(session: Session) -> str:
    return f'{{"answer": "{session.env.episode.task.truth}"}}'


def test_messages_go_out_and_replies_come_in_until_the_episode_is_over() -> None:
    session = new_session()
    opening = session.open(seed=3)
    assert [message["role"] for message in opening] == ["system", "user"]
    assert len(images_of(opening)) == 4
    [response] = session.reply(ZOOM)
    assert (len(images_of([response])), session.is_over, session.reward) == (4, False, 0.0)
    assert session.reply(right_answer(session)) == []
    assert (session.is_over, session.reward) == (True, pytest.approx(1.5))
    assert (session.terms["accuracy"], session.terms["tool"]) == (1, 1)


def test_a_seed_draws_the_task_that_the_environment_draws() -> None:
    session, env = new_session(), new_session().env
    drawn = []
    for seed in range(3):
        session.open(seed=seed)
        env.reset(seed=seed)
        assert session.env.episode.task == env.episode.task
        drawn.append(env.episode.task.id)
    assert len({*drawn}) == 3


def test_the_record_of_a_session_can_be_replayed() -> None:
    session = new_session()
    session.open(seed=5)
    session.reply("Hm.")
    session.reply(right_answer(session))
    record = session.record("mine")
    assert (record.agent, record.seed, record.reward) == ("mine", 5, pytest.approx(0.9))
    replay(record)


def test_forks_of_a_session_are_played_apart() -> None:
    session = new_session()
    session.open(seed=0)
    twin = Session(session.env.fork())
    session.reply(ZOOM)
    twin.reply(right_answer(twin))
    assert (session.is_over, twin.is_over) == (False, True)
    assert len(session.env.episode.turns) == 1


def test_sessions_with_the_same_arguments_share_their_tasks_and_nothing_else() -> None:
    arguments = {"tasks": "synthetic:flash", "source": "scene", "num_overview": 4}
    one, two = session_with(arguments), session_with(dict(reversed(arguments.items())))
    one.open(seed=0)
    two.open(seed=1)
    one.reply(right_answer(one))
    assert (one.is_over, two.is_over) == (True, False)
    assert one.env.tasks is two.env.tasks
    assert session_with({**arguments, "num_overview": 5}).env.tasks is not one.env.tasks


def test_native_calls_are_answered_by_a_tool() -> None:
    session = Session(new_session().env, is_native=True)
    assert "one of your tools" in text_of(session.open(seed=0)[0])
    assert [message["role"] for message in session.reply(ZOOM)] == ["tool", "user"]


def test_a_task_that_is_unknown_is_refused_and_a_reply_needs_an_episode() -> None:
    with pytest.raises(TaskError, match="nothing"):
        new_session().open("nothing")
    with pytest.raises(ResetNeeded, match="call reset first"):
        new_session().reply(ZOOM)
