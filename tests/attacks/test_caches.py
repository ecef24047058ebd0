"""Cache entries that somebody has changed: absent, whatever is in them, and never an error."""

import random
from pathlib import Path

import pytest

from tests.grading.judges import judging, says
from zoomgym.grading.judge import JudgeGrader

pytestmark = pytest.mark.slow

NUM_VERDICTS = 2_000
SIGNS = b"(){}[]'\",:.+-*0123456789 \n\x00\xff\\TrueFalse|uOf"


def mutated(data: bytes, rng: random.Random, end: int) -> bytes:
    """Returns data with a few changes before a place, of which some look like Python."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(min(end, len(changed)))
        match rng.randrange(4):
            case 0:
                changed[place] ^= 1 << rng.randrange(8)
            case 1:
                changed[place] = rng.choice(SIGNS)
            case 2:
                changed[place:place] = bytes([rng.choice(SIGNS)]) * rng.choice((1, 9, 900))
            case 3:
                del changed[place : place + rng.randint(1, 9)]
    return bytes(changed)


def test_a_verdict_of_a_judge_that_was_mutated_is_asked_again(tmp_path: Path) -> None:
    rng = random.Random(0)
    case = ("Who?", "a man", "a gentleman")
    with judging(says("RIGHT")) as server:
        grader = JudgeGrader(server.url, "m", tmp_path)
        assert grader.is_right(*case)
        [entry] = tmp_path.iterdir()
        whole = entry.read_bytes()
        for _ in range(NUM_VERDICTS):
            before = len(server.requests)
            data = mutated(whole, rng, len(whole))
            entry.unlink()
            entry.write_bytes(data)
            assert grader.is_right(*case)
            assert len(server.requests) - before == (data != whole)
            assert entry.read_bytes() == whole
