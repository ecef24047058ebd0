"""An OpenAI-compatible endpoint: its address, its key, its errors, and when to ask again."""

import functools
import json
import logging
import os
import random
import re
import urllib.parse
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import TypeVar

from zoomgym.io.text import brief

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
JITTER_S = 1.0
"""Most time added to a wait, at random, so that threads that failed together ask apart."""
PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may pass."""
EXCERPT_CHARS = 300
START_BYTES = 65_536
"""Bytes of a body that an excerpt is taken from: it may begin with blanks."""
SHORTEST_KEY = 8
"""Characters of the shortest key that is masked: a shorter one may be a word of a reply."""
RUN_CHARS = 12
"""Shortest part of a key that is masked, longer than prefixes such as `sk-proj-`."""
MASKED = "***"

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class EndpointError(Exception):
    """An endpoint gave no usable reply. The message quotes none of it.

    Args:
        trouble: what came instead.
        said: an excerpt of the endpoint's own words.
        is_passing: whether asking again may help.
        retry_after: the endpoint's header of this name.
        remedy: what to do, if the fault tells.
    """

    def __init__(
        self,
        trouble: str,
        *,
        said: str = "",
        is_passing: bool = True,
        retry_after: str | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(trouble)
        self.said, self.is_passing, self.retry_after = said, is_passing, retry_after
        self.remedy = remedy
        self.tries = ""
        """Says which try was the last, and of how many."""


def check_address(url: object, whose: str) -> None:
    """Raises ValueError unless url is an endpoint's, up to the version: `http://localhost:8000/v1`.

    The message shows no part of the url, which may be secret.
    """
    text = url if isinstance(url, str) and re.fullmatch("[!-~]+", url) else ""
    try:
        parts = urllib.parse.urlsplit(text)
        is_address = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:  # which may quote the url
        is_address = False
    if not is_address:
        raise ValueError(f"{whose} url needs to be like http://localhost:8000/v1, in ASCII")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError(
            f"{whose} url needs no user, query or fragment: name the variable with the key by "
            "key_variable"
        )


def check_json(fields: object, whose: str) -> None:
    """Raises ValueError if fields of a request cannot be sent as JSON."""
    try:
        json.dumps(fields, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        needed = "values that JSON can hold, under names that are texts"
        raise ValueError(f"{whose} request needs {needed}, got {brief(fields)}") from error


def read_key(variable: str) -> str:
    """Returns the key in an environment variable; empty if none can be sent."""
    key = os.environ.get(variable, "").strip()
    return key if key.isascii() and key.isprintable() else ""


def missing_key(variable: str) -> str:
    """Returns the text about a missing key, without a variable that may be the key itself."""
    named = variable if re.fullmatch("[A-Z0-9_]+", variable) else "that key_variable names"
    return (
        f"the API key in the environment variable {named}, got none, or one with characters that "
        "no key has"
    )


def ask(
    call: Callable[[], Result], *, whom: str, max_tries: int, sleep: Callable[[float], None]
) -> tuple[Result, int]:
    """Calls until there is no EndpointError. Returns the result, and how many tries it took.

    Raises the EndpointError of the last try. Logs the first fault of each kind, so that nobody
    waits for a dead server without knowing; whom names the endpoint.
    """
    import tenacity  # here: importing it takes 10 ms, and most runs ask nobody

    def fault(state: tenacity.RetryCallState) -> EndpointError:
        error = state.outcome and state.outcome.exception()
        assert isinstance(error, EndpointError)
        return error

    def wait(state: tenacity.RetryCallState) -> float:
        wait_s = wait_after(state.attempt_number - 1, fault(state).retry_after)
        return wait_s + random.uniform(0, JITTER_S)

    retrying = tenacity.Retrying(
        sleep=sleep,
        stop=tenacity.stop_after_attempt(max_tries),
        wait=wait,
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, EndpointError) and error.is_passing
        ),
        before_sleep=lambda state: _warn_once(whom, str(fault(state)), max_tries),
        reraise=True,
    )
    try:
        return retrying(call), retrying.statistics["attempt_number"]
    except EndpointError as error:
        error.tries = f"try {retrying.statistics['attempt_number']} of {max_tries}"
        raise


@functools.lru_cache(maxsize=1000)
def _warn_once(whom: str, trouble: str, max_tries: int) -> None:
    """Logs a fault, once in a process."""
    logger.warning("%s: got %s: asking again, up to %d times", whom, trouble, max_tries)


def is_passing(status: int) -> bool:
    """Returns whether a status of HTTP is a fault that may pass."""
    return status >= 500 or status in PASSING


def wait_after(num_before: int, retry_after: str | None = None) -> float:
    """Returns how many seconds to wait after a failed try that num_before others failed before.

    A whole number of seconds in retry_after makes the wait longer, up to the longest.
    """
    is_number = retry_after and len(retry_after) < 10 and retry_after.isdecimal()
    wanted_s = int(retry_after or 0) if is_number else 0
    return min(max(FIRST_WAIT_S * 2.0 ** min(num_before, 60), wanted_s), LONGEST_WAIT_S)


def read_content(content: object) -> tuple[str, str]:
    """Returns the text and the thought in a message's content: None, a text, or a list of parts.

    Parts of other kinds are ignored. Raises TypeError for content of another type.
    """
    if content is None or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        raise TypeError(f"content needs a text or a list, got {type(content).__name__}")
    text = thought = ""
    for part in content:
        if isinstance(part, str):
            text += part
        elif not isinstance(part, dict):
            raise TypeError(f"content needs texts and objects, got {type(part).__name__}")
        elif part.get("type") in ("thinking", "reasoning"):
            thought += "".join(read_content(part.get("thinking") or part.get("text")))
        else:
            text += read_content(part.get("text") or part.get("refusal"))[0]
    return text, thought


def mask(text: str, key: str) -> str:
    """Returns a text without the key and its long parts, in plain or in base64.

    This is for servers that quote what they were sent, not for ones that mean to reveal the key.
    """
    hidden = bytearray(len(text))
    for run in _runs(key):
        start = text.find(run)
        while start >= 0:
            hidden[start : start + len(run)] = b"x" * len(run)
            start = text.find(run, start + 1)
    shown, end = [], 0
    for span in re.finditer(b"x+", hidden):
        shown += [text[end : span.start()], MASKED]
        end = span.end()
    return "".join([*shown, text[end:]])


def _runs(key: str) -> Iterable[str]:
    """Returns what is masked of a key: every run of RUN_CHARS, or all of a shorter one."""
    if len(key) < SHORTEST_KEY:
        return set()
    forms = {key}
    for num_before in range(3):  # the code depends on how many bytes come before, modulo 3
        code = b"-" * num_before + key.encode()
        for encode in (b64encode, urlsafe_b64encode):
            forms.add(encode(code).decode().rstrip("=")[num_before + (num_before > 0) : -1])
    num_chars = min(RUN_CHARS, len(key))
    return {
        form[start : start + num_chars]
        for form in forms
        for start in range(len(form) - num_chars + 1)
    }


def excerpt(body: bytes, key: str) -> str:
    """Returns the start of what an endpoint sent, in ASCII, on one line and without the key."""
    text = mask(body[:START_BYTES].decode(errors="replace"), key)
    return ascii(" ".join(text.split())[:EXCERPT_CHARS])[1:-1][:EXCERPT_CHARS]
