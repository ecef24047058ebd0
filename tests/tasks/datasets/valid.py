"""Valid rows and files of every benchmark, for tests of all readers at once."""

import json
from typing import Any

from tests.tasks.datasets import (
    test_clues,
    test_grounding,
    test_longvideobench,
    test_longvideoreason,
    test_lvbench,
    test_mlvu,
    test_mmvu,
    test_videomme,
    test_videomme_v2,
    test_videommmu,
    test_videozoomer_rl,
)

EGO = {
    "question_idx": "1",
    "q_uid": "u",
    "question": "What does C do?",
    "video_idx": "u",
    "option": ["A. cooks", "B. reads"],
    "answer": "1",
}
MLVU_HUB = {
    "question_id": "7",
    "video_name": "a.mp4",
    "question": "Which?\n(A) x\n(B) y",
    "answer": "(B)",
    "task_type": "count",
}
MMLU = {"video_name": "m", "question": "How many?", "answer": 5, "discipline": "Math", "number": 1}
ROWS: dict[str, list[dict[str, Any]]] = {
    "cgbench": [test_clues.CG],
    "cgbench_mini": [test_clues.CG],
    "charades_sta": [test_grounding.CHARADES],
    "egoschema": [EGO],
    "extremewhenbench": [test_grounding.EXTREME],
    "longvideobench": [test_longvideobench.ROW],
    "longvideoreason": [test_longvideoreason.ROW],
    "lvbench": [{**test_lvbench.QUESTION, "key": "k", "type": "cartoon"}],
    "mlvu": [test_mlvu.PLOT, MLVU_HUB],
    "mlvu_test": [MLVU_HUB],
    "mmvu": [test_mmvu.ROW, test_mmvu.OPEN],
    "nextgqa": [test_clues.NEXT],
    "videomme": [test_videomme.ROW],
    "videomme_v2": [test_videomme_v2.ROW, test_videomme_v2.FIRST],
    "videommlu": [MMLU],
    "videommmu": [{**test_videommmu.ROW, "image": None}],
    "videozoomer_rl": [test_videozoomer_rl.CHOICE, test_videozoomer_rl.OPEN],
}
"""Valid rows of every benchmark, as its `to_task` gets them."""
GIVEN = {"videommmu": {"track": "Perception"}}
"""What the reader itself puts into a row."""
FILES: dict[str, tuple[str, str, str]] = {
    "cgbench": ("cgbench.json", "test", json.dumps([test_clues.CG] * 2)),
    "charades_sta": ("charades_sta_test.txt", "test", test_grounding.LINES),
    "egoschema": ("questions.json", "test", json.dumps([{**EGO, "option 0": "x"}])),
    "extremewhenbench": ("all.json", "test", json.dumps([test_grounding.EXTREME] * 2)),
    "longvideobench": ("lvb_val.json", "test", json.dumps([test_longvideobench.ROW] * 2)),
    "longvideoreason": ("train.jsonl", "train", json.dumps(test_longvideoreason.ROW)),
    "lvbench": ("video_info.meta.jsonl", "test", json.dumps(test_lvbench.VIDEO)),
    "mlvu": ("1_plotQA.json", "test", json.dumps([test_mlvu.PLOT] * 2)),
    "mmvu": ("validation.json", "test", json.dumps([test_mmvu.ROW, test_mmvu.OPEN])),
    "nextgqa": ("test.csv", "test", "\n".join([test_clues.HEADER, *test_clues.LINES])),
    "videommlu": ("video_mmlu.jsonl", "test", json.dumps({**MMLU, "qa": [MMLU, MMLU]})),
    "videozoomer_rl": ("a.json", "train", json.dumps([test_videozoomer_rl.CHOICE])),
}
"""Of every benchmark that is read from text: a file, its split and its text."""
BESIDE = {
    "egoschema": ("subset_answers.json", '{"u": 1}'),
    "nextgqa": ("gsub_test.json", json.dumps(test_clues.GSUB)),
}
"""A valid file that a benchmark needs beside the one in FILES."""
PARQUET_FILES = {
    "charades_sta": "data/test-0.parquet",
    "extremewhenbench": "data/test-0.parquet",
    "egoschema": "Subset/test-0.parquet",
    "longvideobench": "validation-0.parquet",
    "longvideoreason": "test-0.parquet",
    "mlvu": "data/0.parquet",
    "mlvu_test": "data/0.parquet",
    "mmvu": "validation-0.parquet",
    "videomme": "test-0.parquet",
    "videomme_v2": "test.parquet",
    "videommlu": "test-0.parquet",
    "videommmu": "{track}/0.parquet",
}
