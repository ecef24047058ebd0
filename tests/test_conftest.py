"""A run of the tests says what it left out."""

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.skipif(True, reason="needs a browser")
@pytest.mark.parametrize("number", range(3))
def test_of_the_page(number):
    pass

def test_of_a_graphics_card():
    pytest.skip("needs CUDA")

def test_that_runs():
    pass
"""


def test_what_is_skipped_is_said_at_the_end_with_its_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_some=TESTS, test_no="import pytest; pytest.importorskip('nothing_at')")
    run = pytester.runpytest_inprocess("-p", "tests.conftest")
    run.stdout.fnmatch_lines(
        [
            "=* skipped tests =*",
            "1 in test_no.py: could not import 'nothing_at'*",
            "1 in test_some.py: needs CUDA",
            "3 in test_some.py: needs a browser",
            "",
            "=* 1 passed, 5 skipped in *",
        ],
        consecutive=True,
    )


def test_a_run_that_skips_nothing_says_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_that_runs(): pass")
    run = pytester.runpytest_inprocess("-p", "tests.conftest")
    run.stdout.no_fnmatch_line("*skipped*")
