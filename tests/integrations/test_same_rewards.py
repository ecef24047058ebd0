"""The same episodes are worth the same, whatever loop plays them.

TRL's own loop is not among them: it changes the rules, see `tests/integrations/test_trl.py`.
"""

import pytest

from tests.integrations.players import OURS, PACKAGES, player
from tests.integrations.scripts import KINDS, Script, play_in_env, scripts

SCRIPTS = scripts()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_an_episode_is_worth_what_the_rules_say(script: Script) -> None:
    assert play_in_env(script.task_id, script.replies, script.arguments) == pytest.approx(
        script.reward
    )


LOOPS = [*OURS, *(pytest.param(name, marks=pytest.mark.long) for name in PACKAGES)]


@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_gives_the_same_rewards(name: str) -> None:
    play = player(name)
    rewards = {s.name: play(s.task_id, s.replies, s.arguments) for s in SCRIPTS}
    assert rewards == {s.name: pytest.approx(s.reward) for s in SCRIPTS}


def test_the_scripts_are_forty_and_differ() -> None:
    assert len({script.name for script in SCRIPTS}) == len(SCRIPTS) == 40
    assert len({reward for _, reward in KINDS.values()}) == 6
