"""Colors of the page: those of pictures, written into its style sheet."""

from pathlib import Path

from benchmarks.page.palette import AGENT_COLORS, color_class, evidence_variables, zoom_variables
from benchmarks.page.write import write_report
from tests.benchmarks.page.test_write import RIGHT, played


def test_zooms_and_evidence_have_the_colors_of_the_picture_of_an_episode() -> None:
    assert zoom_variables(is_dark=False) == (
        "--zoom-0: #2563eb; --zoom-1: #d34808; --zoom-2: #9333ea; "
        "--zoom-3: #0d7882; --zoom-4: #cd1e6e; --zoom-5: #78501e;"
    )
    assert evidence_variables() == "--evidence: #2eb868; --evidence-soft: #d8f4e2;"


def test_the_style_sheet_of_a_page_takes_its_colors_from_the_palette(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_report(path, "", [played("a", RIGHT)], cache_dir=tmp_path)
    style = path.read_text().partition("</style>")[0]
    for is_dark in (False, True):
        assert style.count(zoom_variables(is_dark)) == 1
    assert style.count(evidence_variables()) == 1
    for index, (light, dark) in enumerate(AGENT_COLORS):
        line = f".{color_class(index)} {{ --light: {light}; --dark: {dark}; }}\n"
        assert style.count(line) == 1
