"""A judge, or any model, for tests: a real HTTP server on loopback that replies as it is told."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: "JudgeServer"
    number: int
    """Of the request, from 0."""
    body: dict[str, Any]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.body = json.loads(self.rfile.read(length))
        with self.server.lock:
            self.server.requests.append((self.path, dict(self.headers), self.body))
            number = len(self.server.requests) - 1
            self.server.open.add(number)
            self.server.most_open = max(self.server.most_open, len(self.server.open))
        self.number = number
        try:
            script = self.server.script
            script[min(number, len(script) - 1)](self)
        except OSError:  # who asked is gone
            pass
        finally:
            self.close_request()

    def close_request(self) -> None:
        """Counts it as open no more: before its last byte is sent, for then the next may come."""
        with self.server.lock:
            self.server.open.discard(self.number)

    def log_message(self, *args: Any) -> None:
        pass


class JudgeServer(ThreadingHTTPServer):
    """Remembers what it was asked. The last line of its script is repeated."""

    def __init__(self, script: list[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.lock = threading.Lock()
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.open: set[int] = set()
        self.most_open = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


@contextmanager
def judging(*script: Answer) -> Iterator[JudgeServer]:
    server = JudgeServer(list(script))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(handler: Handler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.close_request()
    handler.wfile.write(body)


def completion(content: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


def says(content: Any) -> Answer:
    return lambda handler: send(handler, completion(content))


def chats(
    content: Any = None,
    finish_reason: str = "stop",
    usage: dict[str, Any] | None = None,
    choice: dict[str, Any] | None = None,
    **message: Any,
) -> Answer:
    """Replies as a model does that is no judge: with whatever may stand in a message."""
    said = {"role": "assistant", "content": content, **message}
    row = {"choices": [{"message": said, "finish_reason": finish_reason, **(choice or {})}]}
    return sends(json.dumps(row if usage is None else {**row, "usage": usage}).encode())


def sends(body: bytes) -> Answer:
    return lambda handler: send(handler, body)


def fails(status: int, **headers: str) -> Answer:
    return lambda handler: send(handler, b"key was sk-secret", status, **headers)


def waits(seconds: float, then: Answer) -> Answer:
    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        then(handler)

    return answer


def interrupts(release: threading.Event) -> Answer:
    """Sends Ctrl-C to this process at its first request, and replies to none until released."""

    def answer(handler: Handler) -> None:
        if handler.number == 0:
            os.kill(os.getpid(), signal.SIGINT)
        release.wait(30)

    return answer


def meets(number: int, then: Answer) -> Answer:
    """Replies once so many requests are open at the same time."""
    barrier = threading.Barrier(number, timeout=30)

    def answer(handler: Handler) -> None:
        barrier.wait()
        then(handler)

    return answer


def drips(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)


def raw(*pieces: bytes, pause_s: float = 0.0) -> Answer:
    """Replies with these very bytes, status line and all."""

    def answer(handler: Handler) -> None:
        for piece in pieces:
            handler.wfile.write(piece)
            time.sleep(pause_s)

    return answer


def endless(head: bytes, piece: bytes) -> Answer:
    """Replies with head, and then with piece until nobody listens."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(head)
        while True:
            handler.wfile.write(piece)

    return answer


def redirects(status: int, url: str) -> Answer:
    return fails(status, Location=url)


def cuts(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(completion("RIGHT")[:20])


def hangs_up(handler: Handler) -> None:
    handler.connection.close()


def by_answer(handler: Handler) -> None:
    """Says RIGHT about every answer in which there is `yes`."""
    case = json.loads(handler.server.requests[-1][2]["messages"][1]["content"])
    says("RIGHT" if "yes" in case["answer"] else "WRONG")(handler)
