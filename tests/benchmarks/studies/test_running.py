"""Studies are played cell by cell, can be stopped, and are told as tables, pictures and a page."""

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from benchmarks.studies import __main__ as command
from benchmarks.studies import running
from benchmarks.studies.__main__ import main
from benchmarks.studies.density import (
    ARMS,
    GLIMPSES,
    STUDY,
    DensityAmounts,
    chance_of_glance,
    is_glanced,
    play,
)
from benchmarks.studies.learning import MADE, NotLearnedError, made_once, shared_folder
from benchmarks.studies.plan import QUICK, Cell, Study
from benchmarks.studies.report import Report, to_markdown, write_figure, write_page
from benchmarks.studies.running import (
    NAMES,
    facts_of,
    find_study,
    is_done,
    path_of,
    play_cell,
    read_results,
)
from benchmarks.studies.selector import SelectorAmounts
from zoomgym.records import Record, read_records, replay
from zoomgym.tasks import FAMILIES

CELL = Cell("density", QUICK, "uniform 64, coarse_to_fine", 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_names_only_arms_and_measures_that_it_has(name: str) -> None:
    study = find_study(name)
    assert study.name == name
    for one in study.contrasts:
        assert {one.arm, one.base} - {None} <= set(study.arms)
        assert one.measure in study.measures
    assert len(set(study.arms)) == len(study.arms)
    assert len(study.seeds) >= 5
    for text in (study.claim, study.source, study.refuted_by, study.cannot_show):
        assert text


@pytest.mark.parametrize("name", NAMES)
def test_cells_have_files_of_their_own(name: str, tmp_path: Path) -> None:
    study: Study = find_study(name)
    cells = [cell for size in study.sizes for cell in study.cells(size, study.seeds)]
    paths = {path_of(cell, tmp_path) for cell in cells}
    assert len(paths) == len(cells)
    assert all(re.fullmatch(r"[\w.+-]+", path.parent.name) for path in paths)  # on any system


def test_a_cell_that_was_stopped_is_played_to_its_end_and_no_task_twice(tmp_path: Path) -> None:
    play_cell(CELL, tmp_path)
    path = path_of(CELL, tmp_path)
    whole = path.read_bytes()
    once = [(one.task.id, one.turns) for one in read_records(path)]
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:7]) + lines[7][:50])  # as a process that was killed leaves it
    path.with_suffix(".json").unlink()
    assert not is_done(CELL, tmp_path)
    play_cell(CELL, tmp_path)
    assert json.loads(path.with_suffix(".json").read_text())["resumed_after"] == 7
    again = [(one.task.id, one.turns) for one in read_results([CELL], tmp_path).of(CELL.arm)]
    assert len(once) == len(lines)
    assert once == again


def test_what_a_cell_prints_goes_to_a_file_even_if_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Iterator[Record]:
        os.write(1, b"a loss\n")
        os.write(2, b"a warning\n")
        raise ValueError("too few")
        yield

    monkeypatch.setattr(running, "find_study", lambda _: replace(STUDY, play=fail))
    for _ in range(2):
        with pytest.raises(ValueError, match="too few"):
            play_cell(CELL, tmp_path)
    assert capfd.readouterr() == ("", "")
    log = path_of(CELL, tmp_path).with_suffix(".log").read_text()
    assert sorted(log.splitlines()) == ["a loss"] * 2 + ["a warning"] * 2
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("after\n", "")


def test_episodes_of_a_study_can_be_played_again(tmp_path: Path) -> None:
    [*records] = play(CELL, DensityAmounts(num_tasks=1, lengths_s=(60,)), tmp_path, set())
    for record in records:
        assert replay(record).is_over


def test_a_study_leaves_the_families_of_tasks_as_they_were(tmp_path: Path) -> None:
    before = dict(FAMILIES)
    episodes = play(CELL, DensityAmounts(num_tasks=1, lengths_s=(60,)), tmp_path, set())
    next(episodes)
    assert dict(FAMILIES) != before
    episodes.close()  # type: ignore[attr-defined]
    assert dict(FAMILIES) == before


@pytest.mark.parametrize(
    ("name", "arm", "amounts"),
    [
        ("density", CELL.arm, DensityAmounts(num_tasks=2, lengths_s=(60,))),
        ("selector", "uniform 8, glance", SelectorAmounts(num_updates=1, num_tasks=6)),
    ],
)
def test_seeds_play_tasks_of_their_own(
    name: str, arm: str, amounts: object, tmp_path: Path
) -> None:
    study = find_study(name)
    first, second = (
        {one.task.id for one in study.play(Cell(name, QUICK, arm, seed), amounts, tmp_path, set())}
        for seed in (0, 1)
    )
    assert len(first) == len(second) > 1
    assert first & second == set()


def test_what_is_expected_of_a_uniform_glance_is_what_happens(tmp_path: Path) -> None:
    [*records] = play(CELL, DensityAmounts(num_tasks=20, lengths_s=(600,)), tmp_path, set())
    happened = sum(map(is_glanced, records))
    expected = sum(map(chance_of_glance, records))
    spread = sum(p * (1 - p) for p in map(chance_of_glance, records)) ** 0.5
    assert len(records) == 20 * 9
    assert abs(happened - expected) < 3 * spread  # three standard deviations of independent tasks


def test_every_event_is_evidence_and_no_two_overlap(tmp_path: Path) -> None:
    [*records] = play(CELL, DensityAmounts(num_tasks=3, lengths_s=(600,)), tmp_path, set())
    for record in records:
        kind = GLIMPSES[record.task.category]
        assert len(record.task.evidence) == kind.count
        ends = [0.0]
        for start_s, end_s in record.task.evidence:
            assert end_s - start_s == pytest.approx(kind.event_s)
            assert start_s >= ends[-1]
            ends.append(end_s)


def test_what_arms_share_is_made_once_and_again_if_it_was_left_half_made(tmp_path: Path) -> None:
    folder = shared_folder(path_of(CELL, tmp_path).with_suffix(""), CELL, "thing")
    assert folder == tmp_path / "density" / "quick" / "shared" / "thing-0"
    made = list[Path]()

    def make(place: Path) -> None:
        assert not place.exists()
        place.mkdir()
        (place / "weights").write_text("1")
        made.append(place)

    folder.mkdir(parents=True)
    (folder / "half").touch()
    assert made_once(folder, make, 3) == made_once(folder, make, 3) == folder
    assert made == [folder]
    assert sorted(one.name for one in folder.iterdir()) == [MADE, "weights"]
    with pytest.raises(ValueError, match=r"thing-0 needs the amounts 4, got 3: choose another"):
        made_once(folder, make, 4)


def test_what_was_not_learned_is_not_tried_again_until_its_file_is_deleted(tmp_path: Path) -> None:
    tried = list[Path]()

    def make(place: Path) -> None:
        tried.append(place)
        raise NotLearnedError("too few answers are right")

    failed = tmp_path / "0.failed"
    for _ in range(2):
        with pytest.raises(NotLearnedError, match=r"^too few answers .*, delete .*0\.failed$"):
            made_once(tmp_path / "0", make, 3)
    assert len(tried) == 1
    failed.unlink()
    with pytest.raises(NotLearnedError):
        made_once(tmp_path / "0", make, 3)
    assert len(tried) == 2


def unlearned(seed: int) -> Study:
    """Returns a study with two arms, whose models do not learn with a seed."""

    def fail_or_play(cell: Cell, *others: Any) -> Iterator[Record]:
        if cell.seed == seed:
            raise NotLearnedError(f"seed {seed} learned nothing")
        yield from play(cell, *others)

    sizes = {QUICK: DensityAmounts(num_tasks=1, lengths_s=(60,))}
    contrasts = STUDY.contrasts[-1:]
    arms = (contrasts[0].arm, str(contrasts[0].base))
    return replace(
        STUDY,
        sizes=sizes,
        arms=arms,
        contrasts=contrasts,
        play=fail_or_play,
        draw=lambda _: Figure(),
    )


def test_a_seed_whose_models_do_not_learn_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (command, running):
        monkeypatch.setattr(module, "find_study", lambda _: unlearned(5))
    monkeypatch.setattr(running, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    arguments = ["density", "--quick", "--out", str(tmp_path)]
    assert main([*arguments, "--seeds", "4", "5", "6"]) == 1
    told = capsys.readouterr().out
    assert told.count("density: seed 5 learned nothing\n") == 1
    results = tmp_path / "density" / QUICK / "results.json"
    assert json.loads(results.read_text())["seeds"] == [4, 6]
    assert main([*arguments, "--seeds", "7"]) == 0
    assert json.loads(results.read_text())["seeds"] == [4, 6, 7]  # all that are there


def test_a_cell_that_was_played_with_other_amounts_is_not_taken_for_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "find_study", lambda _: unlearned(5))
    play_cell(CELL, tmp_path)
    assert is_done(CELL, tmp_path)
    monkeypatch.setattr(running, "find_study", find_study)
    with pytest.raises(ValueError, match=r"0\.json needs the amounts .*num_tasks=2.*num_tasks=1"):
        is_done(CELL, tmp_path)
    monkeypatch.setattr(command, "play_cells", lambda *_: [])
    arguments = ["--quick", "--out", str(tmp_path)]
    assert main(["selector", *arguments]) == 0  # another study is none the worse for it
    for seed in "0", "1":  # and no other seed is played beside it
        with pytest.raises(SystemExit):
            main(["density", *arguments, "--seeds", seed])


def test_a_model_that_was_made_with_other_amounts_ends_the_command_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    school = tmp_path / "school"
    made_once(school, Path.mkdir, 3)

    def play_with_it(cell: Cell, *others: Any) -> Iterator[Record]:
        made_once(school, Path.mkdir, 4)
        yield from ()

    study = replace(unlearned(5), play=play_with_it)
    for module in (command, running):
        monkeypatch.setattr(module, "find_study", lambda _: study)
    monkeypatch.setattr(running, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    with pytest.raises(SystemExit):
        main(["density", "--quick", "--out", str(tmp_path / "out")])
    assert "school needs the amounts 4, got 3: choose another --out" in capsys.readouterr().err


@pytest.mark.long
def test_the_page_tells_all_of_a_study(tmp_path: Path) -> None:
    cells = [replace(CELL, arm=arm) for arm in ARMS[:6]]
    for cell in cells:
        play_cell(cell, tmp_path)
    results = read_results(cells, tmp_path)
    report = Report.of(STUDY, QUICK, results, facts_of(cells, tmp_path))
    assert (report.seeds, report.num_episodes) == ([0], 6 * 30)
    write_page([report], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    for text in (STUDY.title, STUDY.refuted_by, *(one.contrast.says for one in report.judged)):
        assert page.count(text.replace("'", "&#39;")) >= 1
    assert page.count("data:image/svg+xml;base64,") == 1
    assert page.count("undecided</td>") == len(report.judged) == 4  # none picked by change
    assert report.verdicts == "4 undecided"
    assert "4 undecided" not in page  # of one study, there is no table of contents
    write_page([report, report], tmp_path / "pages.html")
    assert (tmp_path / "pages.html").read_text().count("4 undecided</td>") == 2
    write_figure(report, tmp_path / "1.svg")
    write_figure(report, tmp_path / "2.svg")
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()
    assert to_markdown(report).count("**undecided**") == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_command_plays_a_study_and_tells_what_it_found(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = find_study(name)
    arguments = [name, "--quick", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert study.title in capsys.readouterr().out
    folder = tmp_path / name / QUICK
    found = json.loads((folder / "results.json").read_text())
    assert found["command"] == f"python -m benchmarks.studies {' '.join(arguments)}"
    assert (found["size"], found["seeds"]) == (QUICK, [0])
    assert [one["verdict"] for one in found["verdicts"]] == ["undecided"] * len(study.contrasts)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.jsonl")}
    assert len(before) == len(study.arms)
    assert main(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
