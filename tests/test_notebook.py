"""The notebook of the quick start: it runs from top to bottom, and is kept without outputs."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "quick_start.ipynb"


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 5
    assert all((cell["outputs"], cell["execution_count"]) == ([], None) for cell in code)


@pytest.mark.long
@pytest.mark.filterwarnings("default")  # of the machinery of notebooks
def test_the_notebook_runs_from_top_to_bottom() -> None:
    reason = "notebooks run with nbclient and ipykernel"
    client = pytest.importorskip("nbclient", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    notebook = pytest.importorskip("nbformat", reason=reason).read(NOTEBOOK, 4)
    client.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    assert "reward 1.5, the answer was C\n" in said
    assert said.splitlines()[-2:] == [
        "guesser   0.25    0.32       0.00      64",
        "zoomer    0.90    1.36       0.85      80",
    ]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
