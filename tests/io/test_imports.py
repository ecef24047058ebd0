"""What a user names is imported, or an error says what was needed."""

import sys
from pathlib import Path

import pytest

from zoomgym.io import import_named


def test_a_function_is_imported() -> None:
    assert import_named("scorer", "x", "json:dumps", "score")([1]) == "[1]"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("json", "scorer needs module:function, like json:score, got 'shown'"),
        (":dumps", "scorer needs module:function, like my_module:dumps, got 'shown'"),
        ("a/b.py:f", "scorer needs module:function, like a.b:f, got 'shown'"),
        ("json:dumbs", "scorer 'shown': json has no dumbs: did you mean 'dumps'"),
        ("no_such.b:f", "scorer 'shown': needed a module no_such, got none: start in the folder "
         "that holds no_such/b.py, or name that folder in PYTHONPATH"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(target: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        import_named("scorer", "shown", target, "score")


def test_a_module_that_lacks_another_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacks_one.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match="needed to be importable, got: No module named 'no_su"):
        import_named("scorer", "shown", "lacks_one:f", "score")
    with pytest.raises(ValueError, match="scorer 'shown': install no_such_package"):
        import_named("scorer", "shown", "lacks_one:f", "score", lambda e: f"install {e.name}")
    assert "lacks_one" not in sys.modules
