"""Lets an agent answer a task of lmms-eval, which scores it: which symbol shows?"""

from pathlib import Path
from tempfile import TemporaryDirectory

from lmms_eval.evaluator import simple_evaluate
from lmms_eval.tasks import TaskManager

from zoomgym.integrations.lmms_eval import ZoomModel
from zoomgym.tasks import SyntheticTasks

TASK = """{{task: symbols, dataset_path: json, test_split: test, output_type: generate_until,
dataset_kwargs: {{data_files: {{test: {0}/rows.jsonl}}, cache_dir: {0}}}, doc_to_target: "A",
doc_to_visual: !function utils.visual, doc_to_text: "Which symbol shows? A: star, B: ring.",
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]}}"""
AGENT = "examples.own_agent:BrightAgent"  # or "agents.registry:make_agent", "chat:MODEL@URL"

tasks = SyntheticTasks(("flash",), "test", 60, "easy", "file")
with TemporaryDirectory() as folder:
    path = tasks.write_video(tasks[0], Path(folder))
    Path(folder, "rows.jsonl").write_text(f'{{"video": "{path}"}}')
    Path(folder, "utils.py").write_text("def visual(doc):\n    return [doc['video']]\n")
    Path(folder, "symbols.yaml").write_text(TASK.format(folder))
    manager = TaskManager(include_path=folder)
    model = ZoomModel(AGENT, arguments={"num_overview": 16})
    done = simple_evaluate(model, tasks=["symbols"], task_manager=manager)
    [sample] = done["samples"]["symbols"]
    print("answer", sample["resps"][0][0], "exact match", sample["exact_match"])
