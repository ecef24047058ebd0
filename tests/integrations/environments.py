"""Where each integration is tested: a Python environment with the real package."""

from typing import NamedTuple


class Environment(NamedTuple):
    """What is installed, besides zoomgym with the extra of the integration's name."""

    requirements: tuple[str, ...] = ()
    extra: str = ""
    """Another extra, or several, joined by commas; empty for the integration's name."""
    alone: tuple[str, ...] = ()
    """Installed last, without what they ask for: their pins do not fit ours."""


NEEDED = ("pytest>=8.3", "hypothesis>=6.100")
"""What all tests need."""
ENVIRONMENTS: dict[str, Environment] = {
    "inspect_ai": Environment(("openai>=1.60",)),
    "verl": Environment(("torch==2.13.0",)),
    "lmms_eval": Environment(
        (
            *("torch==2.13.0", "accelerate", "datasets", "evaluate", "jsonlines", "numexpr"),
            *(
                "loguru",
                "openai",
                "opencv-python-headless",
                "openpyxl",
                "pytablewriter",
                "python-dotenv",
                "sacrebleu",
            ),
            *("scikit-learn", "sentencepiece", "sqlitedict", "tenacity", "tqdm-multiprocess"),
            *("transformers>=5", "zstandard", "pyyaml", "sympy", "tiktoken", "nltk", "httpx"),
        ),
        alone=("lmms_eval==0.7.3",),
    ),
    "minari": Environment(("minari[arrow,create]",)),
    "openenv": Environment(),
    "verifiers": Environment(),
    "trl": Environment(("torch==2.13.0",), extra="qwen,trl"),
}
"""By the name of the integration, which is also that of its test file, `test_NAME.py`."""
