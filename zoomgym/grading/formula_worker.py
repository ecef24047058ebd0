"""The process behind `formula`: reads two formulas a line, and writes whether they are equal.

Every reply is followed by the processor time used so far, in seconds. Runs as a file of its own, so
that it imports only math-verify. Bounds memory and time: the process that started it may be gone.
"""

import json
import sys
import time

from math_verify import parse, verify

MAX_BYTES = 2 * 1024**3
MAX_CPU_S = 5


def main() -> None:
    """Answers until its input ends."""
    replies, sys.stdout = sys.stdout, sys.stderr  # a library that prints disturbs none
    print("ready", time.process_time(), file=replies, flush=True)
    for line in sys.stdin:
        _limit()
        reply = json.dumps(_are_equal(*json.loads(line)))
        print(reply, time.process_time(), file=replies, flush=True)


def _are_equal(truth: str, text: str) -> bool:
    """Returns whether two formulas are equal; what cannot be read or worked out is not."""
    try:
        true, given = (parse(f"${formula}$", parsing_timeout=0) for formula in (truth, text))
        return bool(true and given and verify(true, given, timeout_seconds=0))
    except Exception:  # noqa: BLE001 - whatever hostile text does to a parser, it is not equal
        return False


def _limit() -> None:
    """Bounds memory, and the time of the next answer."""
    if sys.platform != "win32":
        import resource

        used_s = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CPU, (used_s + MAX_CPU_S, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
