r"""Reads a text as a formula, if all of it is one.

A formula is made of numbers, single letters, brackets, operators and the commands below. These are
no formulas, because their order or their marks mean something beyond arithmetic:

- words: `left then right`; but words behind a number are its unit, as in `5 km/h`;
- letters or numbers in a row: `A B C`, `2 1`, `H_2O`, `K2`; a row of letters keeps its order;
- scores, ranges and dates: `2-1`, `5-10 m`, `2024-01-02`, `1/2/2024`; sizes: `1920x1080`, `2*3`;
- texts with `=`, `<`, `:`, `,` or an arrow: equations, orders, times, lists, sets.
"""

import re
from dataclasses import dataclass

MAX_CHARS = 400
WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
BOXED = re.compile(r"\\boxed\{(.*)\}", re.DOTALL)
SIGNS = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{MULTIPLICATION SIGN}": r"\times ",
        "\N{MIDDLE DOT}": r"\cdot ",
        "\N{DIVISION SIGN}": "/",
        "\N{GREEK SMALL LETTER PI}": r"\pi ",
        "\N{DEGREE SIGN}": r"^\circ ",
    }
    | {sign: f"^{power}" for power, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
)
BLANK_COMMAND = re.compile(r"\\(?:[,;:! ]|(?:quad|qquad|left|right)(?![a-zA-Z]))")
TEXT_COMMAND = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathit|operatorname)\s*\{([^{}]*)\}")
DEGREES = re.compile(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})(?![a-zA-Z])")
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:(?:,|\{,\})\d{3})+(?![\d,])", re.ASCII)
AROUND_MARKS = re.compile(r"\s*([^\w\s])\s*")

TOKEN = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)|(?P<command>\\[a-zA-Z]+)|(?P<letters>[^\W\d_]+)"
    r"|(?P<mark>[-+*/^_!()\[\]{}])|(?P<blank>\s+)"
)
PLAIN_COMMANDS = frozenset({"sin", "cos", "tan", "log", "ln", "exp", "sqrt", "pi"})
"""Commands that are known without a backslash, too."""
FUNCTIONS = frozenset(
    {
        "frac", "dfrac", "tfrac", "cfrac", "binom", "sqrt", "sin", "cos", "tan", "cot", "sec",
        "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "log", "ln", "lg", "exp",
    }
)  # fmt: skip
"""Commands that are followed by their argument."""
COMMANDS = FUNCTIONS | frozenset(
    {
        "cdot", "times", "div", "infty", "hbar", "alpha", "beta", "gamma", "delta",
        "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa",
        "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "varphi",
        "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma",
        "Upsilon", "Phi", "Psi", "Omega",
    }
)  # fmt: skip
"""All commands of formulas, without relations, arrows, dots and sets."""
OPERATORS = {r"\cdot": "*", r"\times": "*", r"\div": "/"}

# A sketch of a text has one sign a token: 1 a number, x a letter, w a word, f a function, c another
# command, a blank, and marks as they are.
NO_FORMULA = re.compile(
    r"""
      [1x)\]}!]\ ?1              # a number behind a number, a letter or a bracket: `2 1`, `K2`
    | 1\ ?\*\ ?1(?!\ ?\^)        # a product of bare numbers, but for powers: `2*3`, not `3*10^8`
    | 1\ ?\(\ ?1\ ?\)            # `2(3)`
    | \(\ ?[1x]\ ?\)\ ?\(        # `(1)(2)`
    | \)\ ?\(\ ?[1x]\ ?\)
    | _\ ?\{?\ ?1\ ?\}?\ ?x      # `H_2O`
    | (?<!\^)1\ ?_               # `101_2`, which is another number
    | f\ ?(?:[+*/)\]}!]|$)       # a function of nothing: `2 log`
    | (?<![cf^_}\]])\{           # a brace that no command asks for
    | ^[*/^_!]
    | [-+*/^_]$
    """,
    re.VERBOSE,
)
CHAIN = re.compile(r"[-+1x/ ]+")
"""Matches numbers and letters with the signs that also join dates, scores and rows."""
NO_CHAIN = re.compile(r"1 ?- ?1(?!x)|^(?!.*1x)(?:.+-.*-|.*/.*/)")
"""Matches `2-1`, `A-B-C` and `1/2/2024`, but not `3-2x-y`."""
ROW = re.compile(r"x x")
UNIT = re.compile(r"(?:[wxc][ ()/*]*+(?:\^\{?-?1\}?)?+[ ()/*]*+)++")
"""Matches units without backtracking, by which 80 characters like `km(((( a(((( a` take minutes."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula and its unit."""

    text: str
    """The formula without its unit; a percentage is divided by 100."""
    unit: str
    letters: tuple[str, ...]
    """The single letters in it, in order."""
    is_row: bool
    """Whether the order of its letters counts."""

    def is_like(self, other: "Formula") -> bool:
        """Returns whether the two can be equal: the same unit, and the same letters in them."""
        if self.is_row or other.is_row:
            return (self.unit, self.letters) == (other.unit, other.letters)
        return (self.unit, {*self.letters}) == (other.unit, {*other.letters})


def bare_text(text: str) -> str | None:
    r"""Returns a short line without `$..$`, `\boxed{..}`, `\text{..}` and blanks; else None."""
    if len(text) > MAX_CHARS or not text.isprintable():
        return None
    text = text.strip()
    for start, end in WRAPPERS:
        if text.startswith(start) and text.endswith(end) and len(text) >= len(start + end):
            text = text[len(start) : -len(end)].strip()
            break
    if match := BOXED.fullmatch(text):
        text = match[1].strip()
    text = BLANK_COMMAND.sub(" ", text.translate(SIGNS).replace(r"\%", "%"))
    return TEXT_COMMAND.sub(r" \1 ", text).strip()


def squeezed(text: str) -> str:
    """Returns a text without the blanks around its marks: `2 - 1` is `2-1`."""
    return AROUND_MARKS.sub(r"\1", text)


def read_formula(text: str) -> Formula | None:
    """Returns the formula that all of a bare text is, or None."""
    is_percentage = text.endswith("%")
    text = DEGREES.sub(" deg ", text.removesuffix("%")).strip().rstrip(".")
    if not any(bracket in text for bracket in "()[]"):  # inside them, a comma parts a list
        text = THOUSANDS.sub(lambda number: re.sub("[,{}]", "", number[0]), text)
    tokens = _tokens(text)
    if tokens is None:
        return None
    signs = "".join(map(_sign, tokens))
    first_word = signs.find("w") if "w" in signs else len(tokens)
    sketch, unit = signs[:first_word].rstrip(), signs[first_word:]
    chain = re.sub(r"[()\[\]]", "", sketch)
    if CHAIN.fullmatch(chain) and NO_CHAIN.search(chain):
        return None
    if not sketch or NO_FORMULA.search(sketch):
        return None
    if unit and not UNIT.fullmatch(unit):
        return None
    body = "".join(tokens[:first_word]).strip()
    return Formula(
        text=f"({body})/100" if is_percentage else body,
        unit=squeezed("".join(tokens[first_word:])),
        letters=tuple(token for token in tokens[:first_word] if _sign(token) == "x"),
        is_row=bool(ROW.search(sketch)),
    )


def _tokens(text: str) -> list[str] | None:
    """Returns the tokens of a text; None if there is anything else in it."""
    matches = list(TOKEN.finditer(text))
    tokens = [match[0] for match in matches]
    is_whole = "".join(tokens) == text
    known = all(match["command"] is None or match[0][1:] in COMMANDS for match in matches)
    return tokens if is_whole and known else None


def _sign(token: str) -> str:
    """Returns the sign of a token in a sketch."""
    if token in OPERATORS:
        return OPERATORS[token]
    if token in PLAIN_COMMANDS or token[0] == "\\":
        return "f" if token.removeprefix("\\") in FUNCTIONS else "c"
    if token[0].isalpha():
        return "x" if len(token) == 1 else "w"
    if token[0].isspace():
        return " "
    return "1" if token[-1].isdecimal() else token
