"""An agent of ours in the loop of lmms-eval, and its scorers beside our official scores."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("lmms_eval", reason="python -m tests.integrations lmms_eval")

from lmms_eval.evaluator import simple_evaluate
from lmms_eval.models import get_model
from lmms_eval.tasks import TaskManager

from benchmarks.speed.decoding.awkward.clips import write
from tests.integrations.scorers_of_lmms_eval import THEIRS, lettered, nothing_drawn
from zoomgym import AgentError, Observation, VideoQuestion
from zoomgym.integrations.lmms_eval import ZoomModel
from zoomgym.tasks.datasets.official import SCORINGS

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]

OPTIONS = [
    ("a big cat", "dogs", "night", "day", "rain"),
    ("He met B. Obama", "C sleeps", "At 10 A.M.", "Dr. E", "none of these at all"),
    ("red", "a red car on the road", "Red and blue", "D", "x = 4 (A)"),
]
FORMS = [
    *("{l}", "({l})", "{l}.", "{l}:", "{l})", "'{l}'", "  {l}  ", "{low}", "{l}{o}", "{l}, {o}"),
    *("{l}. {t}", "({l}) {t}", "{l}: {t}", "{low}. {t}", "{t}", "{t}.", "{tl}", "It is {t}"),
    *("option {l}", "Option {l}: {t}", "Answer: {l}", "Final Answer: {l}", "**{l}**. {t}"),
    *("\\boxed{{{l}}}", "<answer>{l}</answer>", "{l}\n{t}", "Because.\n\n{l}", "**({l})**", "{l}!"),
    *(
        "The answer is {l}. {t}",
        "The correct answer is ({l}), since {t}",
        "I choose {l}",
        "답: {l}",
    ),
    *("{l} or {o}", "Not {o} but {l}", "{o} is wrong, so {l}", "The answer is not {o}. It is {l}."),
    *("Between ({o}) and ({l}), I choose {l}", "My choice is {l} rather than {o}", "A man {t}"),
    "I am quite sure that it is {l}. {t}",
    "I am quite sure that it is {low}. {tl}, not {om}. {ot}",
    "it may be {low}. {tl}, or else {om}. {ot}, or {low}. {tl}",
    *("F", "no idea", "", "Between all of these I have no idea at all"),
]
PIECES = [
    *("A", "B", "C", "D", "E", "F", "H", "a", "b", "(", ")", "**", "*", ".", ":", "\n", " ", "\t"),
    *("answer", "Answer:", "The answer is", "the best option is", "option", "is", "would be"),
    *("Final Answer:", "Best answer", "dogs", "night", "rain", "a big cat", "not", "I think"),
    *("Option:", "\\boxed{", "}", "correct", "선", "답:", "選", "'", '"', "!"),
]


def answers() -> Iterator[tuple[VideoQuestion, str]]:
    """Yields five thousand pairs of a task and an answer."""
    for options, number in product(OPTIONS, (4, 5)):
        for truth, own in product(range(number), repeat=2):
            other = (own + 1) % number
            letter, wrong = "ABCDE"[own], "ABCDE"[other]
            words = {"l": letter, "o": wrong, "low": letter.lower(), "om": wrong.lower()}
            texts = {"t": options[own], "tl": options[own].lower(), "ot": options[other].lower()}
            task = VideoQuestion("q", "v.mp4", "What?", "ABCDE"[truth], options=options[:number])
            for form in FORMS:
                yield task, form.format(**words, **texts)
    rng = random.Random(0)
    for truth in "ABCDE" * 100:
        text = rng.choice(["", " "]).join(rng.choices(PIECES, k=rng.randint(1, 8)))
        yield VideoQuestion("q", "v.mp4", "What?", truth, options=OPTIONS[0]), text


@pytest.mark.parametrize("benchmark", THEIRS)
def test_official_scores_are_those_of_lmms_eval(benchmark: str) -> None:
    num_compared, parted = 0, list[tuple[str, VideoQuestion, str]]()
    for task, text in answers():
        if benchmark == "egoschema" and len(task.options) == 4:
            continue
        with nothing_drawn() as drawn:
            theirs = THEIRS[benchmark](task, text)
        if not drawn:  # or both draw a letter, each its own
            num_compared += 1
            if SCORINGS[benchmark].is_right(task, text) is not theirs:
                parted.append((benchmark, task, text))
    assert parted == []
    assert num_compared > {"egoschema": 2000, "longvideobench": 4000}.get(benchmark, 6000)


QUESTION = "Is it dark or bright in the second half?\nA. dark\nB. bright\nAnswer with a letter."
TASK = """
task: brightness
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{folder}/rows.jsonl"}}, cache_dir: "{folder}/cache"}}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.visual
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
process_results: !function utils.score
metric_list:
  - {{metric: right, aggregation: mean, higher_is_better: true}}
"""
UTILS = """
def visual(doc):
    return [doc["video"]]


def score(doc, results):
    return {"right": float(results[0] == doc["answer"])}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a folder with a task for lmms-eval: two videos that differ in their second half."""
    rows = []
    for name, level in (("dark", 20), ("bright", 220)):
        halves = [np.full((32, 32, 3), value, np.uint8) for value in (120, level)]
        path = tmp_path / f"{name}.mp4"
        write(path, pts=range(100), pictures=lambda index, halves=halves: halves[index >= 50])
        truth = "A" if name == "dark" else "B"
        rows.append({"video": str(path), "question": QUESTION, "answer": truth})
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "brightness.yaml").write_text(TASK.format(folder=tmp_path))
    (tmp_path / "utils.py").write_text(UTILS)
    return tmp_path


class Peeker:
    """Zooms into the second half, and says whether it is dark."""

    def reset(self, seed: int) -> None:
        self.asked: list[str] = []

    def act(self, observation: Observation) -> str:
        if not observation.clips:
            self.asked.append(observation.question)
            return '{"segment": [2.5, 3.5], "fps": 2}'
        is_dark = observation.clips[0].images.mean() < 120
        return f'{{"answer": "{"A" if is_dark else "B"}"}}'


class Silent(Peeker):
    def act(self, observation: Observation) -> str:
        raise AgentError("nobody is there")


def make_peeker(name: str) -> Peeker:
    assert name == "x"
    return Peeker()


def evaluate(folder: Path, model: Any, **options: Any) -> dict[str, Any]:
    return simple_evaluate(
        model, tasks=["brightness"], task_manager=TaskManager(include_path=str(folder)),
        bootstrap_iters=0, **options,
    )  # fmt: skip


ARGUMENTS = {"num_overview": 1, "max_turns": 2}


@pytest.mark.parametrize("batch_size", [1, 2])
def test_an_agent_answers_the_tasks_of_lmms_eval(folder: Path, batch_size: int) -> None:
    agent = Peeker()
    model = ZoomModel(agent, arguments=ARGUMENTS, batch_size=batch_size)
    assert evaluate(folder, model)["results"]["brightness"]["right,none"] == 1.0
    assert agent.asked == [QUESTION] * 2


def test_the_model_is_known_by_its_name_and_makes_its_agent(folder: Path) -> None:
    assert get_model("zoomgym") is ZoomModel
    named = f"agent={__name__}:make_peeker,name=x,arguments={json.dumps(ARGUMENTS)}"
    told = evaluate(folder, "zoomgym", model_args=named, batch_size=1)
    assert told["results"]["brightness"]["right,none"] == 1.0


def test_what_is_never_answered_is_wrong_and_what_fails_is_no_score(folder: Path) -> None:
    model = ZoomModel(Peeker(), arguments={**ARGUMENTS, "max_turns": 1})
    assert evaluate(folder, model)["results"]["brightness"]["right,none"] == 0.0
    with pytest.raises(AgentError, match="nobody is there"):
        evaluate(folder, ZoomModel(Silent(), arguments=ARGUMENTS))


def test_options_have_their_letters_as_hubs_have_them() -> None:
    assert lettered(VideoQuestion("q", "v", "?", "A", options=("x", "y"))) == ["A. x", "B. y"]


def test_the_example_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "examples.integrations.lmms_eval"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "answer A exact match 1.0" in ran.stdout
