"""Learning curves: read from the logs of runs, drawn where they belong."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.curves import Curve, draw_curves, main, read_curves

HEADER = "time/total_timesteps,time/time_elapsed,rollout/success_rate,eval/success_rate\n"
FIRST = HEADER + "1000,60,0.2,\n2000,,,0.4\n3000,180,0.3,\n"
SECOND = HEADER + "4000,30,0.5,\n5000,90,0.6,\n5000,,,0.9\n"


def run_in(folder: Path) -> Path:
    for name, text in (("from_3000", SECOND), ("from_0", FIRST)):
        (folder / "log" / name).mkdir(parents=True)
        (folder / "log" / name / "progress.csv").write_text(text)
    return folder


def test_sessions_follow_each_other_in_steps_and_in_minutes(tmp_path: Path) -> None:
    by_steps = read_curves(run_in(tmp_path / "run"), "steps")
    assert by_steps.train == ((1.0, 0.2), (3.0, 0.3), (4.0, 0.5), (5.0, 0.6))
    assert by_steps.test == ((2.0, 0.4), (5.0, 0.9))
    by_time = read_curves(tmp_path / "run", "minutes")
    assert by_time.train == ((1.0, 0.2), (3.0, 0.3), (3.5, 0.5), (4.5, 0.6))
    assert by_time.test == ((2.0, 0.4), (4.5, 0.9))


def test_the_picture_shows_every_point_and_every_name() -> None:
    curves = [Curve("a & b", ((0.0, 0.0), (2.0, 1.0)), ((1.0, 0.5),)), Curve("c", (), ())]
    picture = ElementTree.fromstring(draw_curves(curves, "minutes", 0.25))
    space = "{http://www.w3.org/2000/svg}"
    lines = [line.get("points") for line in picture.iter(f"{space}polyline")]
    assert lines == ["46.0,276.0 490.0,16.0", "268.0,146.0", "", ""]
    assert [dot.get("cx") for dot in picture.iter(f"{space}circle")] == ["268.0"]
    texts = [text.text for text in picture.iter(f"{space}text")]
    assert {"a & b", "c", "minutes", "success", "0.5"} <= set(texts)


def test_the_command_draws_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_in(tmp_path / "run")
    assert main([str(tmp_path / "x.svg"), str(run), "--axis", "steps"]) == 0
    assert "1,000 steps" in (tmp_path / "x.svg").read_text()
    assert capsys.readouterr().out == f"1 run -> {tmp_path / 'x.svg'}\n"
    with pytest.raises(SystemExit):
        main([str(tmp_path / "x.svg"), str(tmp_path)])
    assert "needs a log of agents.sb3, found none" in capsys.readouterr().err
