"""What --help says: something about every argument, in 80 columns."""

import argparse
from collections.abc import Iterator, Sequence
from importlib import import_module

import pytest

COMMANDS = (
    "agents.qwen.demonstrations.__main__",
    "agents.sb3.__main__",
    "agents.selector.__main__",
    "benchmarks.leaderboard",
    "benchmarks.evaluation.leaks",
    "benchmarks.figures",
    "benchmarks.run",
    "benchmarks.speed.__main__",
    "zoomgym.cli",
)


class ParserFoundError(Exception):
    """Carries the parser of a command out of its main."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def with_commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yields a parser and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


@pytest.fixture(params=COMMANDS)
def parsers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> list[argparse.ArgumentParser]:
    def stop(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> None:
        raise ParserFoundError(parser)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    with pytest.raises(ParserFoundError) as found:
        import_module(request.param).main([])
    return list(with_commands(found.value.parser))


def test_every_argument_is_explained(parsers: list[argparse.ArgumentParser]) -> None:
    for parser in parsers:
        for action in parser._actions:
            is_command = isinstance(action, argparse._SubParsersAction)
            assert is_command or action.help, f"{parser.prog} {action.dest}"


def test_help_fits_into_80_columns(
    parsers: list[argparse.ArgumentParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for parser in parsers:
        _, _, told = parser.format_help().partition("\n\n")  # below the usage
        assert [line for line in told.split("\n") if len(line) > 80] == []
