"""Lets an agent answer a task of lmms-eval, which scores it: how long is a video?"""

from pathlib import Path
from tempfile import TemporaryDirectory

from lmms_eval.evaluator import simple_evaluate
from lmms_eval.tasks import TaskManager

from zoomgym import Observation
from zoomgym.integrations.lmms_eval import ZoomModel
from zoomgym.tasks import SyntheticTasks

TASK = """{{task: length, dataset_path: json, test_split: test, output_type: generate_until,
dataset_kwargs: {{data_files: {{test: {0}/rows.jsonl}}, cache_dir: {0}}}, doc_to_target: "60",
doc_to_visual: !function utils.visual, doc_to_text: "How many seconds does the video last?",
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]}}"""


class Timer:
    """Looks at the last second, and answers; instead: "agents.registry:make_agent" and a name."""

    def reset(self, seed: int) -> None:
        """Has nothing to seed."""

    def act(self, observation: Observation) -> str:
        """Returns a zoom, then the answer."""
        end_s = round(observation.duration_s)
        zoom = f'{{"segment": [{end_s - 1}, {end_s}], "fps": 2}}'
        return f'{{"answer": "{end_s}"}}' if observation.clips else zoom


tasks = SyntheticTasks(("flash",), "test", 60, "easy", "file")
with TemporaryDirectory() as folder:
    path = tasks.write_video(tasks[0], Path(folder))
    Path(folder, "rows.jsonl").write_text(f'{{"video": "{path}"}}')
    Path(folder, "utils.py").write_text("def visual(doc):\n    return [doc['video']]\n")
    Path(folder, "length.yaml").write_text(TASK.format(folder))
    manager = TaskManager(include_path=folder)
    done = simple_evaluate(ZoomModel(Timer()), tasks=["length"], task_manager=manager)
    print("exact match:", done["results"]["length"]["exact_match,none"])
