"""One bounded request, against real servers that do what no server should."""

import gzip
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import traceback
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.grading.judges import (  # fmt: skip
    Answer,
    JudgeServer,
    drips,
    endless,
    fails,
    interrupts,
    judging,
    raw,
    redirects,
    send,
    sends,
    waits,
)
from zoomgym.io.endpoint import EndpointError
from zoomgym.io.post import post

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MAX_BYTES = 200_000
KEY = "key-of-mine"
ROW = {"model": "m", "text": "é\ud800"}
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


def send_to(url: str, **settings: Any) -> bytes:
    return post(url, ROW, **{"timeout_s": 10.0, "max_bytes": MAX_BYTES, **settings})


def packed(body: bytes, encoding: str, pack: Any) -> Answer:
    return lambda handler: send(handler, pack(body), Content_Encoding=encoding)


# What is sent, and where -------------------------------------------------------------------------


def test_only_these_headers_are_sent_whatever_the_environment_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("ORG_ID", "PROJECT_ID", "API_KEY", "ADMIN_KEY", "WEBHOOK_SECRET", "BASE_URL"):
        monkeypatch.setenv(f"OPENAI_{name}", "http://private/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Private: yes\nAuthorization: Bearer private")
    (tmp_path / ".netrc").write_text("default login me password private")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with judging(sends(b"{}")) as server:
        assert send_to(server.url) == b"{}"
        assert send_to(server.url, key="sk-mine") == b"{}"
    own = {
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Length": str(len(json.dumps(ROW))),
        "Content-Type": "application/json",
        "Host": f"127.0.0.1:{server.server_port}",
        "User-Agent": "zoomgym",
    }
    assert [headers for _, headers, _ in server.requests] == [
        own, {**own, "Authorization": "Bearer sk-mine"},
    ]  # fmt: skip
    assert [body for _, _, body in server.requests] == [ROW, ROW]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308, 399])
@pytest.mark.parametrize("where", ["http://127.0.0.1:{}/v1", "/v2", "//127.0.0.1:{}/", "file:///"])
def test_no_redirect_is_followed(status: int, where: str) -> None:
    with judging(sends(b"{}")) as other:
        to = where.format(other.server_port)
        with judging(redirects(status, to)) as server:
            with pytest.raises(EndpointError, match=f"^status {status}$") as caught:
                send_to(server.url, key="sk-secret")
            assert (len(server.requests), len(other.requests)) == (1, 0)
    assert not caught.value.is_passing
    assert caught.value.said.startswith("a redirect, which is not followed: use the url it leads")


class Proxy(BaseHTTPRequestHandler):
    """Remembers what it was asked, and passes nothing on."""

    def do_POST(self) -> None:
        self.server.asked.append((self.requestline, dict(self.headers)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_CONNECT(self) -> None:
        self.server.asked.append((self.requestline, dict(self.headers)))  # type: ignore[attr-defined]
        self.send_error(403, "no key-of-mine here")

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def proxy() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_proxy_of_the_environment_is_used_but_for_the_hosts_that_are_excepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with proxy() as between, judging(sends(b"[]")) as server:
        monkeypatch.setenv("http_proxy", f"http://me:word@127.0.0.1:{between.server_port}")
        assert send_to("http://far.invalid/v1") == b"{}"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert send_to(server.url) == b"[]"
    [(line, headers)] = between.asked
    assert line == "POST http://far.invalid/v1/chat/completions HTTP/1.1"
    assert headers["Proxy-Authorization"] == "Basic bWU6d29yZA=="
    assert "Proxy-Authorization" not in server.requests[0][1]


def test_a_proxy_sees_no_key_of_what_goes_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy() as between:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{between.server_port}")
        with pytest.raises(EndpointError, match=r"^OSError$") as caught:
            send_to("https://far.invalid/v1", key=KEY)
    [(line, headers)] = between.asked
    assert line.startswith("CONNECT far.invalid:443 HTTP/1.")
    assert "Authorization" not in headers
    assert KEY not in f"{caught.value!r} {caught.value.said}"


@pytest.mark.parametrize("name", ["a..b:3128", f"me:word@{'a' * 64}:3128"])
def test_a_proxy_with_a_name_that_no_host_has_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{name}")
    with pytest.raises(EndpointError, match="a proxy of the environment, with a name") as caught:
        send_to("http://localhost:9/v1")
    assert not caught.value.is_passing


def test_a_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(EndpointError, match="a proxy of another kind than http: see HTTP_PROXY"):
        send_to("http://far.invalid/v1")


# What comes back ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        sends(b'{"a": 1}'),
        raw(OK + b'\r\n{"a": 1}'),
        raw(b'HTTP/1.0 200\r\n\r\n{"a": 1}'),
        raw(b'HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 201 Made\r\nX: \xff\r\n\r\n{"a": 1}'),
        raw(CHUNKED + b'5\r\n{"a":\r\n3;x=y\r\n 1}\r\n0\r\nX: y\r\n\r\n'),
        raw(OK + b"Content-Length: 8\r\n\r\n", b'{"a"', b": 1} and more", pause_s=0.01),
        raw(OK + b"Content-Length: -1\r\n\r\n" + b'{"a": 1}'),
        raw(OK + b"Content-Length: eight\r\n\r\n" + b'{"a": 1}'),
        packed(b'{"a": 1}', "gzip", gzip.compress),
        packed(b'{"a": 1}', "GZip ", gzip.compress),
        packed(b'{"a": 1}', "deflate", zlib.compress),
        packed(b'{"a": 1}', "identity", bytes),
        packed(b'{"a": 1}', "gzip", lambda body: gzip.compress(body) + b"rest"),
        raw(CHUNKED, *(b"1\r\n%c\r\n" % byte for byte in b'{"a": 1}'), b"0\r\n\r\n"),
    ],
)
def test_the_body_comes_whole_however_it_is_sent(answer: Answer) -> None:
    with judging(answer) as server:
        assert send_to(server.url) == b'{"a": 1}'


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_a_body_is_as_long_as_it_may_be_and_no_longer(encoding: str) -> None:
    pack = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[encoding]
    body = os.urandom(1000) * 50
    with judging(packed(body, encoding, pack)) as server:
        spare = 300 if encoding == "" else 0  # for the headers
        assert send_to(server.url, max_bytes=len(body) + spare) == body
        with pytest.raises(EndpointError, match=r"^a reply over 49999 bytes$"):
            send_to(server.url, max_bytes=len(body) - 1)


BOMB = gzip.compress(bytes(50_000_000))


@pytest.mark.long
@pytest.mark.parametrize(
    "answer",
    [
        endless(OK + b"\r\n", b" " * 65_536),
        endless(CHUNKED, b"1\r\n \r\n"),
        endless(CHUNKED, b"10000\r\n" + b" " * 65_536 + b"\r\n"),
        endless(CHUNKED + b"0\r\n", b"X: y\r\n"),
        endless(OK + b"Content-Length: 99999999999999\r\n\r\n", b" " * 65_536),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        endless(OK + b"Content-Encoding: gzip\r\n\r\n" + BOMB, b"x" * 65_536),
        sends(bytes(MAX_BYTES)),
        packed(b"", "gzip", lambda _: BOMB),
        packed(bytes(50_000_000), "deflate", zlib.compress),
        raw(OK, *[b"X: " + b"y" * 65_000 + b"\r\n"] * 5, b"\r\n{}"),
    ],
)
def test_what_never_ends_is_given_up_in_little_memory(answer: Answer) -> None:
    with judging(answer) as server:
        tracemalloc.start()
        try:
            with pytest.raises(EndpointError, match=f"^a reply over {MAX_BYTES} bytes$"):
                send_to(server.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 20 * MAX_BYTES  # of this process, the server's thread and its pieces with it


@pytest.mark.parametrize(
    "answer",
    [
        drips,
        waits(20.0, sends(b"{}")),
        raw(*[b"H"] * 1000, pause_s=0.02),
        raw(OK, *[b"X: y\r\n"] * 1000, pause_s=0.02),
        raw(CHUNKED, *[b"1\r\n \r\n"] * 1000, pause_s=0.02),
        raw(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 1000, pause_s=0.02),
        raw(b"HTTP/1.1 500 Oh\r\n\r\n", *[b" "] * 1000, pause_s=0.02),
        raw(
            OK + b"Content-Encoding: gzip\r\n\r\n", *[b"%c" % b for b in BOMB[:1000]], pause_s=0.02
        ),
    ],
)
def test_what_comes_in_drops_is_given_up_in_time(answer: Answer) -> None:
    with judging(answer) as server:
        started_s = time.monotonic()
        with pytest.raises(EndpointError) as caught:
            send_to(server.url, timeout_s=0.2)
        assert time.monotonic() - started_s < 10  # the server would take 20
    assert str(caught.value) in ("no whole reply within 0.2 s", "status 500")


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_never_says_or_reads_a_thing_is_given_up_in_time(scheme: str) -> None:
    with listening() as server:
        url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/v1"
        with pytest.raises(EndpointError, match=r"no whole reply within 0.2 s"):
            post(url, {"text": "x" * 30_000_000}, timeout_s=0.2, max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (raw(OK + b'Content-Length: 99\r\n\r\n{"a": 1}'), "a reply that breaks off"),
        (raw(CHUNKED + b'8\r\n{"a": 1}\r\n'), "a reply that breaks off"),
        (raw(CHUNKED + b'99\r\n{"a": 1}'), "a reply that breaks off"),
        (raw(CHUNKED + b"x\r\n{}"), "a reply that breaks off"),
        (packed(b"{}", "gzip", lambda body: gzip.compress(body)[:-1]), "a reply that breaks off"),
        (packed(b"{}", "gzip", lambda body: b""), "a reply that breaks off"),
        (packed(b"{}", "gzip", lambda body: b"{}"), "a reply that does not unpack"),
        (packed(b"{}", "br", bytes), "a reply in an encoding that was not asked for"),
        (packed(b"{}", "zstd", bytes), "a reply in an encoding that was not asked for"),
        (packed(b"{}", "gzip, gzip", bytes), "a reply in an encoding that was not asked for"),
        (raw(b""), "RemoteDisconnected"),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "BadStatusLine"),
        (raw(b"HTTP/1.1 key-of-mine\r\n\r\n"), "BadStatusLine"),
        (raw(b"HTTP/1.1 0\r\n\r\n"), "BadStatusLine"),
        (raw(b"HTTP/3.0 200 OK\r\n\r\n"), "UnknownProtocol"),
        (raw(b"\x16\x03\x01\x02\x00"), "BadStatusLine"),
        (raw(b"H" * 70_000), "LineTooLong"),
        (raw(OK, b"X" * 70_000), "LineTooLong"),
        (raw(OK, *[b"X: y\r\n"] * 200, b"\r\n{}"), "HTTPException"),
        (raw(CHUNKED + b"1" * 70_000), "LineTooLong"),
    ],
)
def test_what_is_no_whole_reply_is_named_in_words_that_are_not_its_own(
    answer: Answer, trouble: str
) -> None:
    with judging(answer) as server, pytest.raises(EndpointError, match=f"^{trouble}$") as caught:
        send_to(server.url, key=KEY)
    assert caught.value.is_passing
    assert caught.value.said == ""
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("status", "is_passing"),
    [(101, False), (204, None), (304, False), (400, False), (401, False), (404, False),
     (407, False), (413, False), (429, True), (500, True), (503, True), (999, True)],
)  # fmt: skip
def test_a_status_says_whether_to_ask_again(status: int, is_passing: bool | None) -> None:
    with judging(fails(status, Retry_After="7")) as server:
        if is_passing is None:
            assert send_to(server.url) == b""
        else:
            with pytest.raises(EndpointError, match=f"^status {status}$") as caught:
                send_to(server.url)
            assert (caught.value.is_passing, caught.value.retry_after) == (is_passing, "7")


@pytest.mark.parametrize(
    "answer",
    [
        fails(401),
        lambda handler: send(handler, gzip.compress(b"x" * 10**7), 401, Content_Encoding="gzip"),
        lambda handler: send(handler, b"x", 401, Content_Encoding="gzip"),
        lambda handler: send(handler, b"x", 401, Content_Encoding="br"),
        endless(b"HTTP/1.1 401 No\r\n\r\n", b"x" * 65_536),
        raw(b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\nx"),
    ],
)
def test_a_refusal_stays_one_whatever_its_body_is(answer: Answer) -> None:
    with judging(answer) as server, pytest.raises(EndpointError, match=r"^status 401$") as caught:
        send_to(server.url)
    assert not caught.value.is_passing
    assert len(caught.value.said) <= 300


class Refusing(BaseHTTPRequestHandler):
    """Says no as soon as it has read the headers, and hangs up."""

    def do_POST(self) -> None:
        self.wfile.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo much")
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args: Any) -> None:
        pass


def test_a_server_may_refuse_what_it_has_not_read() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/v1"
            with pytest.raises(EndpointError, match=r"^status 413$") as caught:
                post(url, {"text": "x" * 30_000_000}, timeout_s=10.0, max_bytes=MAX_BYTES)
        finally:
            server.shutdown()
            thread.join()
    assert caught.value.said == "too much"


# TLS ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", path, "-out", path.with_suffix(".crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@contextmanager
def judging_over_tls(certificate: Path, *script: Answer) -> Iterator[tuple[str, JudgeServer]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with judging(*script) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        yield server.url.replace("http", "https"), server


def test_over_tls_the_same_bounds_hold(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    script = (sends(b"{}"), endless(OK + b"\r\n", b" " * 65_536), drips)
    with judging_over_tls(certificate, *script) as (url, server):
        assert send_to(url, key="sk-mine") == b"{}"
        assert server.requests[0][1]["Authorization"] == "Bearer sk-mine"
        with pytest.raises(EndpointError, match="a reply over"):
            send_to(url)
        with pytest.raises(EndpointError, match=r"no whole reply within 0\.3 s"):
            send_to(url, timeout_s=0.3)


def test_a_certificate_that_nobody_vouches_for_gets_no_key(certificate: Path) -> None:
    with judging_over_tls(certificate, sends(b"{}")) as (url, server):
        with pytest.raises(
            EndpointError, match=r"certificate that is not trusted \(self"
        ) as caught:
            send_to(url, key="sk-secret")
        assert server.requests == []
    assert not caught.value.is_passing
    assert "SSL_CERT_FILE" in str(caught.value)


def test_http_where_https_was_meant_is_named() -> None:
    with judging(sends(b"{}")) as server, pytest.raises(EndpointError, match=r"^SSLError [A-Z_]+$"):
        send_to(server.url.replace("http", "https"))


# Ctrl-C ------------------------------------------------------------------------------------------


def test_ctrl_c_ends_a_request_at_once() -> None:
    release = threading.Event()
    with judging(interrupts(release)) as server:
        started_s = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            send_to(server.url, timeout_s=30.0)
        assert time.monotonic() - started_s < 10
        release.set()
