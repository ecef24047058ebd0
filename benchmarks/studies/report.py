"""What a study has found: for the terminal, as JSON, as a picture, and as a page."""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib import rc_context
from rich.table import Table

from benchmarks.evaluation.statistics import Estimate
from benchmarks.figures import STYLE
from benchmarks.studies.plan import Results, Study
from benchmarks.studies.verdicts import JudgedContrast, Judgment, judge_all, over_seeds
from zoomgym.io import replaced

PAGE = "page.html.jinja"
COLORS = {Judgment.HOLDS: "green", Judgment.FAILS: "red", Judgment.OPEN: "yellow"}
SHORT = {Judgment.HOLDS: "hold", Judgment.FAILS: "do not hold", Judgment.OPEN: "undecided"}


@dataclass(frozen=True, slots=True)
class Report:
    """A study with what it has found."""

    study: Study
    size: str
    results: Results
    judged: Sequence[JudgedContrast]
    facts: Sequence[dict[str, Any]]
    """Of the run of each cell."""

    @classmethod
    def of(
        cls, study: Study, size: str, results: Results, facts: Sequence[dict[str, Any]]
    ) -> "Report":
        """Returns the report of what was played."""
        return cls(study, size, results, judge_all(study, results), facts)

    @property
    def seeds(self) -> list[int]:
        """The seeds that were played."""
        return self.results.seeds

    @property
    def minutes(self) -> float:
        """Minutes of one core that all cells have taken; not those that they waited."""
        return sum(float(one["processor_seconds"]) for one in self.facts) / 60

    @property
    def num_episodes(self) -> int:
        """Episodes of all cells."""
        return sum(map(len, self.results.records.values()))

    @property
    def played_at(self) -> list[str]:
        """The commits at which cells were played."""
        return sorted({one.get("commit", "") for one in self.facts})

    @property
    def verdicts(self) -> str:
        """The verdicts in short, like `3 hold, 1 undecided`."""
        counts = Counter(one.verdict for one in self.judged)
        return ", ".join(f"{counts[one]} {word}" for one, word in SHORT.items() if counts[one])

    def means(self) -> dict[str, dict[str, Estimate]]:
        """Returns the means of all measures that apply, by arm, over seeds and tasks."""
        found: dict[str, dict[str, Estimate]] = {}
        for arm in self.study.arms:
            for name, measure in self.study.measures.items():
                by_seed = [list(own.values()) for own in self.results.values(arm, measure).values()]
                if values := [own for own in by_seed if own]:
                    found.setdefault(arm, {})[name] = over_seeds(values)
        return found


def tables(report: Report) -> list[Table]:
    """Returns the verdicts, and the means of all arms, for the terminal."""
    title = f"{report.study.title} ({report.num_episodes:,} episodes, seeds {report.seeds})"
    verdicts = Table(title=title, title_justify="left")
    for column in ("claim", "measured, with its 95% interval", "needs", "verdict"):
        verdicts.add_column(column)
    for one in report.judged:
        color = COLORS[one.verdict]
        verdicts.add_row(
            one.contrast.says,
            told(one.estimate, is_signed=one.contrast.base is not None),
            f"> {one.contrast.more_than:g}",
            f"[{color}]{told_verdict(one)}[/{color}]",
        )
    arms = Table(title="Means over seeds", title_justify="left")
    arms.add_column("arm")
    for name in report.study.measures:
        arms.add_column(name, justify="right")
    for arm, means in report.means().items():
        row = [f"{means[name].mean:.3f}" if name in means else "" for name in report.study.measures]
        arms.add_row(arm, *row)
    return [verdicts, arms]


def told_verdict(one: JudgedContrast) -> str:
    """Returns a verdict, and that by Student's t if it is another."""
    other = "" if one.by_t == one.verdict else f" (by t: {one.by_t.value})"
    return f"{one.verdict.value}{other}"


def told(estimate: Estimate, *, is_signed: bool = False) -> str:
    """Returns a mean with its interval, as text."""
    sign = "+" if is_signed else ""
    return f"{estimate.mean:{sign}.3f} ({estimate.low:{sign}.3f}..{estimate.high:{sign}.3f})"


def to_markdown(report: Report) -> str:
    """Returns the verdicts as a table of a document."""
    lines = ["| claim | measured | by seed | needs | verdict |", "|---|--:|---|--:|---|"]
    for one in report.judged:
        measured = told(one.estimate, is_signed=one.contrast.base is not None)
        by_seed = ", ".join(f"{value:.2f}" for value in one.by_seed.values())
        needs = f"> {one.contrast.more_than:g}"
        cells = [one.contrast.says, measured, by_seed, needs, f"**{told_verdict(one)}**"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def to_json(report: Report, facts: dict[str, Any]) -> str:
    """Returns all numbers of a report; facts tell of the run: command, date, commit."""
    row = {
        "study": report.study.name,
        "size": report.size,
        **facts,
        "seeds": report.seeds,
        "episodes": report.num_episodes,
        "minutes": round(report.minutes, 1),
        "played_at": report.played_at,
        "instructions": {
            str(one["seed"]): one.get("instructions", "native") for one in report.facts
        },
        "amounts": repr(report.study.sizes[report.size]),
        "verdicts": [
            {
                "claim": one.contrast.says,
                "measure": one.contrast.measure,
                "arm": one.contrast.arm,
                "base": one.contrast.base,
                "more_than": one.contrast.more_than,
                **_row(one.estimate),
                "by_seed": {str(seed): round(mean, 4) for seed, mean in one.by_seed.items()},
                "verdict": one.verdict.value,
                "verdict_by_t": one.by_t.value,
            }
            for one in report.judged
        ],
        "means": {
            arm: {name: _row(one) for name, one in means.items()}
            for arm, means in report.means().items()
        },
    }
    return json.dumps(row, indent=1) + "\n"


def _row(estimate: Estimate) -> dict[str, float]:
    names = ("mean", "low", "high")
    return {name: round(getattr(estimate, name), 4) for name in names} | {"count": estimate.count}


def write_figure(report: Report, path: Path) -> None:
    """Writes the picture of a study as SVG: the same episodes, the same bytes."""
    with replaced(path) as file:
        file.write(_svg(report))


def write_page(reports: Sequence[Report], path: Path) -> None:
    """Writes one self-contained HTML page with all studies."""
    shown = [(one, _picture(one), one.means()) for one in reports]
    loader = FileSystemLoader(Path(__file__).parent, encoding="utf-8")
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    page = jinja.get_template(PAGE).render(shown=shown, told=told, told_verdict=told_verdict)
    with replaced(path) as file:
        file.write(page.encode())


def _picture(report: Report) -> str:
    """Returns the picture of a study as a data URL."""
    return f"data:image/svg+xml;base64,{b64encode(_svg(report)).decode()}"


def _svg(report: Report) -> bytes:
    """Returns the picture of a study as SVG."""
    file = BytesIO()
    with rc_context(STYLE):  # its salt makes the names of parts the same each time
        report.study.draw(report.results).savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
