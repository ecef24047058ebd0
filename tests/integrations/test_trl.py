"""TRL's own tool loop plays episodes, and changes the rules where the table below says so."""

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("trl", reason="TRL is not installed: pip install zoomgym[trl]")

from transformers.utils import get_json_schema
from trl import chat_template_utils

from agents.qwen.model.loading import load_processor
from agents.qwen.model.tiny import save_tiny
from tests.integrations.scripted_trl import ScriptedTrainer, write_native
from zoomgym import ZoomEnv, open_task_set
from zoomgym.conversation import tool_schemas, write_completion
from zoomgym.integrations.session import Session
from zoomgym.integrations.trl import ZoomSpec

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("default::FutureWarning:transformers"),  # of what TRL calls
    pytest.mark.filterwarnings("default:You are using 'environment_factory':UserWarning"),
]

ARGUMENTS: dict[str, Any] = {
    "source": "scene",
    "num_overview": 4,
    "frames_per_zoom": 4,
    "frame_budget": 20,
    "max_turns": 3,
    "max_pixels": 28 * 28,
}
TASK = open_task_set("synthetic")[0]
RIGHT = f'{{"answer": "{TASK.truth}"}}'


class Reply(NamedTuple):
    """What a model says, with native calls: names of tools, and arguments as text."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()


def zoom(arguments: str) -> tuple[str, str]:
    return "video_zoom", arguments


LOOK = zoom('{"segment": [4, 6], "fps": 2}')
ANSWER = Reply(RIGHT)


class Case(NamedTuple):
    """Replies of an episode, its reward by the rules, and its reward in TRL's loop."""

    replies: list[Reply]
    by_rules: float
    in_trl: float


SAME = {
    "looks and is right": Case([Reply(calls=(LOOK,)), ANSWER], 1.5, 1.5),
    "thinks aloud and looks": Case([Reply("I look.", (LOOK,)), ANSWER], 1.5, 1.5),
    "answers at once": Case([ANSWER], 1.0, 1.0),
    "is wrong": Case([Reply(calls=(LOOK,)), Reply('{"answer": "Q"}')], 0.1, 0.1),
    "talks around its answer": Case([Reply(calls=(LOOK,)), Reply(f"So: {RIGHT}")], 1.4, 1.4),
    "leaves out fps": Case([Reply(calls=(zoom('{"segment": [4, 6]}'),)), ANSWER], 0.9, 0.9),
    "asks for too much": Case(
        [Reply(calls=(zoom('{"segment": [0, 60], "fps": 1}'),)), ANSWER], 0.9, 0.9
    ),
    "calls in the last turn": Case([Reply(calls=(LOOK,))] * 3, 0.0, 0.0),
}
DIFFERENT = {
    "breaks its call": Case([Reply(calls=(zoom('{"segment": [4, 6, "fps": 2}'),)), ANSWER], 0.9, 0),
    "calls twice in a reply": Case([Reply(calls=(LOOK, LOOK)), ANSWER], 0.9, 1.5),
    "answers and calls": Case([Reply(RIGHT, (LOOK,)), ANSWER], 0.9, 1.5),
    "calls what is no tool": Case([Reply(calls=(("look", "{}"),)), ANSWER], 0.9, 1.0),
    "gives a list of arguments": Case([Reply(calls=(zoom("[4, 6, 2]"),)), ANSWER], 0.9, 1.0),
    "talks, then answers": Case([Reply("Hm."), ANSWER], 0.9, 0.0),
}
CASES = SAME | DIFFERENT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    save_tiny(path)
    return path


@pytest.fixture(scope="module")
def trained(folder: Path) -> ScriptedTrainer:
    scripts = [[write_native(*reply) for reply in case.replies] for case in CASES.values()]
    trainer = ScriptedTrainer(folder, ZoomSpec(ARGUMENTS), TASK.id, scripts)
    trainer.train()
    return trainer


def test_the_table_says_what_differs() -> None:
    assert all(case.by_rules == case.in_trl for case in SAME.values())
    assert all(case.by_rules != case.in_trl for case in DIFFERENT.values())


@pytest.mark.parametrize("name", CASES)
def test_an_episode_is_worth_what_the_table_says(name: str, trained: ScriptedTrainer) -> None:
    case = CASES[name]
    session = Session(ZoomEnv(**ARGUMENTS), is_native=True)
    session.open(TASK.id)
    for text, calls in case.replies:
        session.reply(write_completion(text, calls, session.env.rules))
    assert session.is_over
    assert session.reward == pytest.approx(case.by_rules)
    [in_trl] = [
        environment.session.reward
        for environment, key in zip(trained.environments, CASES, strict=True)
        if key == name
    ]
    assert in_trl == pytest.approx(case.in_trl)


def test_the_trainer_gets_these_rewards_and_a_step_is_made(trained: ScriptedTrainer) -> None:
    first = trained.state.log_history[0]
    rewards = [case.in_trl for case in CASES.values()]
    assert first["reward"] == pytest.approx(sum(rewards) / len(rewards))
    assert first["zoom/tool"] == pytest.approx(rewards.count(1.5) / len(CASES) + 1 / len(CASES))
    assert first["grad_norm"] > 0


def test_the_model_reads_the_frames_that_were_paid_for(trained: ScriptedTrainer) -> None:
    paid = [environment.session.env.episode.frames_used for environment in trained.environments]
    read = [len(images) for images in trained.outcome[6]]
    assert read == paid
    assert set(paid) == {4, 8, 12}
    assert trained.batch["num_images"] is not None  # TRL drops all pictures of a batch at a misfit
    assert sorted(trained.batch["mm_token_type_ids"].sum(1).tolist()) == sorted(paid)
    assert len(trained.batch["image_grid_thw"]) == sum(paid)


def test_only_what_the_model_said_is_learned(trained: ScriptedTrainer) -> None:
    tokenizer, [_, completions, masks, *_] = trained.processing_class.tokenizer, trained.outcome
    for ids, mask, case in zip(completions, masks, CASES.values(), strict=True):
        said = tokenizer.decode([id_ for id_, is_said in zip(ids, mask, strict=True) if is_said])
        end = tokenizer.eos_token
        texts = [write_native(*reply) for reply in case.replies]
        assert said in {end.join([*texts[:num], ""]) for num in (1, len(texts))} | {
            end.join([*texts, "", ""])  # TRL asks again after the end of an episode
        }


def test_a_result_that_is_too_long_is_never_read_and_the_episode_is_not_answered(
    folder: Path,
) -> None:
    scripts = [[write_native("", (LOOK,)), RIGHT], [RIGHT]]
    trainer = ScriptedTrainer(
        folder, ZoomSpec(ARGUMENTS), TASK.id, scripts, max_completion_length=60
    )
    trainer.train()
    looked, _ = trainer.environments
    assert looked.session.env.episode.frames_used == 8
    assert len(trainer.outcome[6][0]) == 4
    assert (looked.session.is_over, looked.session.reward) == (False, 0.0)


def test_a_batch_whose_calls_were_all_refused_is_learned_from(folder: Path) -> None:
    scripts = [[write_native("", (zoom('{"segment": [4, 6]}'),)), RIGHT], [RIGHT]]
    trainer = ScriptedTrainer(folder, ZoomSpec(ARGUMENTS), TASK.id, scripts)
    trainer.train()
    rewards = [environment.session.reward for environment in trainer.environments]
    assert rewards == pytest.approx([0.9, 1.0])
    assert trainer.batch["num_images"] == [4, 4]


def test_tools_are_those_of_the_rules_with_their_own_schemas() -> None:
    tools = ("zoom", "crop")
    episode = ZoomSpec(ARGUMENTS | {"tools": tools}).environment_factory()
    for schema in tool_schemas(tools):
        made = get_json_schema(getattr(episode, schema["function"]["name"]))
        for parameter in schema["function"]["parameters"]["properties"].values():
            parameter.pop("minItems", None), parameter.pop("maxItems", None)
        assert made == schema


def test_the_stock_template_of_qwen25_vl_is_refused(folder: Path) -> None:
    processor = load_processor(str(folder))
    assert [supports(processor, name) for name in ("qwen3_vl", "qwen2_5_vl")] == [True, False]


def supports(processor: Any, name: str) -> bool:
    """Returns whether TRL lets a model with the stock chat template of a family call tools."""
    processor.chat_template = getattr(chat_template_utils, f"{name}_chat_template")
    return bool(chat_template_utils.supports_tool_calling(processor))


def test_the_dataset_has_the_first_tasks() -> None:
    tasks = open_task_set("synthetic")
    dataset = ZoomSpec(ARGUMENTS, num_tasks=3).train_dataset
    assert dataset["task_id"] == [tasks[index].id for index in range(3)]
    assert dataset[0]["prompt"] == [{"role": "user", "content": ""}]


def test_a_tool_after_the_end_says_so_and_plays_nothing() -> None:
    episode = ZoomSpec(ARGUMENTS | {"max_turns": 1}).environment_factory()
    episode.reset(TASK.id)
    for _ in range(2):
        assert episode.video_zoom(segment=[4, 6], fps=2) == "The episode is over."
    assert len(episode.session.env.episode.turns) == 1


def test_the_example_makes_a_step() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "examples.integrations.trl"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "reward after 1 step" in run.stdout
