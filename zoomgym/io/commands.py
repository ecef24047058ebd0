"""Parses arguments, reports errors and ends the same way for every command."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NoReturn, ParamSpec

from zoomgym.io.hints import did_you_mean, in_words
from zoomgym.io.text import plain

Given = ParamSpec("Given")

NUMBERS: dict[object, str] = {int: "a whole number", float: "a number"}
MISSING = "the following arguments are required: "
"""Start of argparse's message about missing arguments."""
PIPE_CLOSED = 141
"""Exit status of a command whose output is no longer read, as shells report it."""


class Parser(argparse.ArgumentParser):
    """Refuses arguments in one line, without the usage before it; then points to --help."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses like ArgumentParser, but refuses unknown options at once, in their command."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown and unknown[0].startswith("-"):
            name = unknown[0].partition("=")[0]
            self.error(
                f"there is no option {name}{did_you_mean(name, self._option_string_actions)}"
            )
        if unknown:
            self.error(f"needed no more arguments, got {' '.join(unknown)!r}")
        return parsed, unknown

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            if action.type not in NUMBERS:
                raise
            message = f"needed {NUMBERS[action.type]}, got {arg_string!r}"
            raise argparse.ArgumentError(action, message) from None

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(one) for one in action.choices]
            meant = did_you_mean(str(value), known)
            message = f"needed one of {', '.join(known)}, got {value!r}{meant}"
            raise argparse.ArgumentError(action, message)

    def error(self, message: str) -> NoReturn:
        """Ends the program: something is wrong with its arguments."""
        if message.startswith(MISSING):
            message = f"needed {message.removeprefix(MISSING)}, got none"
        self.exit(2, f"{self.prog}: {plain(message)}\nsee {self.prog} --help\n")

    def fail(self, error: Exception) -> NoReturn:
        """Ends the program: something else is wrong, such as a file."""
        if isinstance(error, BrokenPipeError):
            raise error  # see `ends_quietly`
        self.exit(2, f"{self.prog}: {plain(in_words(error))}\n")


def whole_number(least: int) -> Callable[[str], int]:
    """Returns the type of an argument that is a whole number, least or more."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            needed = f"needed a whole number from {least} on"
            raise argparse.ArgumentTypeError(f"{needed}, got {text!r}")
        return int(text)

    return read


def add_names(
    parser: argparse.ArgumentParser, option: str, known: Iterable[str], default: str = "all"
) -> None:
    """Adds an option that takes some of the known names; without it, all of them."""
    names = list(known)
    parser.add_argument(
        option,
        nargs="+",
        default=names,
        choices=names,
        metavar="NAME",
        help=f"of {', '.join(names)}; default: {default}",
    )


def ends_quietly(main: Callable[Given, int]) -> Callable[Given, int]:
    """Makes a command end quietly when its output is no longer read, as by `| head`."""

    @wraps(main)
    def quiet(*args: Given.args, **kwargs: Given.kwargs) -> int:
        try:
            try:
                return main(*args, **kwargs)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())  # Python flushes once more when it ends
            os.close(nowhere)
            return PIPE_CLOSED

    return quiet
