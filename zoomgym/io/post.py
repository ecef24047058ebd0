"""Sends one request to an OpenAI-compatible endpoint, bounded in time and bytes.

It goes to the url, or to the proxy in `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, with the headers
written here and no others. Redirects are not followed.

This uses the standard library because bounding the whole response needs the socket. The `openai`
client has no hook for that, follows redirects, and sends headers from its own environment variables
to any url. Source: openai 3.57, `_base_client.py`, `lib/_client_auth.py`.
"""

import http.client
import io
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from zoomgym.io.endpoint import START_BYTES, EndpointError, excerpt, is_passing

PIECE_BYTES = 65_536
PACKED = frozenset({"gzip", "x-gzip", "deflate"})
"""Encodings that are unpacked: some servers use one without being asked."""
BROKEN_OFF = "a reply that breaks off"
NO_SERVER = "check the url, and that a server runs there"
REMEDIES = {
    401: "check the key, and that key_variable names it",
    403: "check the key, and that key_variable names it",
    404: "check the url, which ends in /v1 at most servers, and the name of the model",
}
"""Remedies by status."""
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


def post(
    url: str, row: Mapping[str, Any], *, key: str = "", timeout_s: float, max_bytes: int
) -> bytes:
    """Asks for a chat completion. Returns the body of the response, which may be anything.

    Args:
        url: of the endpoint, see `check_address`.
        row: fields of the request.
        key: of the API; empty if none is needed.
        timeout_s: from connecting to the last byte. Each further address of the host, and the TLS
            handshake, may take as long again; looking up its name is not bounded.
        max_bytes: of the response with its headers, and of its body when it is unpacked.

    Raises:
        EndpointError: the status is not 2xx, or the response is late, too long or cut off.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "zoomgym"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    address, data = f"{url.rstrip('/')}/chat/completions", json.dumps(row).encode()
    request = urllib.request.Request(address, data, headers, method="POST")
    opener = urllib.request.OpenerDirector()  # without what follows redirects and opens files
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(_BoundedHandler(max_bytes))
    opener.add_handler(urllib.request.UnknownHandler())
    try:
        with opener.open(request, timeout=timeout_s) as response:
            if not 200 <= response.status < 300:
                raise _refusal(response, key)
            return _body(response, max_bytes)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise _trouble(error, timeout_s) from None  # its text may quote the server


def _trouble(error: Exception, timeout_s: float) -> EndpointError:
    """Returns what went wrong, without the server's own words."""
    if isinstance(error, urllib.error.URLError):
        if not isinstance(error.reason, Exception):  # of UnknownHandler, which a url does not reach
            needed = "a proxy of another kind than http: see HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
            return EndpointError(needed, is_passing=False)
        error = error.reason
    if isinstance(error, http.client.IncompleteRead):
        return EndpointError(BROKEN_OFF)
    if isinstance(error, TimeoutError):
        return EndpointError(f"no whole reply within {timeout_s:g} s")
    if isinstance(error, ssl.SSLCertVerificationError):
        return EndpointError(
            f"a certificate that is not trusted ({error.verify_message}): name the file with that "
            "of its authority in SSL_CERT_FILE",
            is_passing=False,
        )
    if isinstance(error, ssl.SSLError) and error.reason:
        return EndpointError(f"{type(error).__name__} {error.reason}")
    if isinstance(error, UnicodeError):  # a label of a host's name that is empty or too long
        needed = "a url, or a proxy of the environment, with a name that no host has"
        return EndpointError(needed, is_passing=False)
    remedy = NO_SERVER if isinstance(error, ConnectionRefusedError | socket.gaierror) else ""
    return EndpointError(type(error).__name__, remedy=remedy)


def _refusal(response: http.client.HTTPResponse, key: str) -> EndpointError:
    """Returns the error for a status other than 2xx, with the start of the body, if any comes."""
    said = b""
    with suppress(EndpointError, OSError, http.client.HTTPException):
        for piece in _pieces(response):
            said += piece
            if len(said) >= START_BYTES:
                break
    if 300 <= response.status < 400:
        said = b"a redirect, which is not followed: use the url it leads to. " + said
    return EndpointError(
        f"status {response.status}",
        said=excerpt(said, key),
        is_passing=is_passing(response.status),
        retry_after=response.headers.get("Retry-After"),
        remedy=REMEDIES.get(response.status, ""),
    )


def _body(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    """Returns the whole body of a response. Raises EndpointError if it is too long or cut off."""
    body = bytearray()
    for piece in _pieces(response):
        body += piece
        if len(body) > max_bytes:
            raise EndpointError(f"a reply over {max_bytes} bytes")
    return bytes(body)


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yields the body of a response, unpacked, in pieces of at most PIECE_BYTES."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in PACKED:
        yield from _unpacked(_sent(response))
    elif encoding in ("", "identity"):
        yield from _sent(response)
    else:
        raise EndpointError("a reply in an encoding that was not asked for")


def _sent(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yields the body of a response as it comes."""
    while piece := response.read1(PIECE_BYTES):
        yield piece
    if response.length:  # of which http.client says nothing
        raise EndpointError(BROKEN_OFF)


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yields what gzip or zlib packed, in pieces: one may unpack to a thousand times its size."""
    unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        for packed in pieces:
            piece = unpacker.decompress(packed, PIECE_BYTES)
            while piece:
                yield piece
                piece = unpacker.decompress(unpacker.unconsumed_tail, PIECE_BYTES)
            if unpacker.eof:
                return
    except zlib.error as error:
        raise EndpointError("a reply that does not unpack") from error
    raise EndpointError(BROKEN_OFF)


class _Connection(http.client.HTTPConnection):
    """A connection for one request, bounded from the moment at which it connects."""

    def __init__(self, host: str, *, max_bytes: int, **settings: Any) -> None:
        super().__init__(host, **settings)
        self._max_bytes = max_bytes

    def connect(self) -> None:
        """Connects. Raises OSError."""
        ends_s = time.monotonic() + (self.timeout or 0)
        super().connect()
        self.sock: Any = _BoundedSocket(self.sock, ends_s, self._max_bytes)


class _TlsConnection(_Connection, http.client.HTTPSConnection):
    """The same over TLS."""


class _BoundedHandler(urllib.request.AbstractHTTPHandler):
    """Opens http and https on bounded connections."""

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """Returns the response to a request. Raises OSError, HTTPException."""
        return self.do_open(_Connection, request, max_bytes=self._max_bytes)  # type: ignore[arg-type]

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """Returns the response to a request. Raises OSError, HTTPException."""
        return self.do_open(_TlsConnection, request, max_bytes=self._max_bytes)  # type: ignore[arg-type]


class _BoundedSocket:
    """A socket for `http.client` that works until a moment, and receives so many bytes."""

    def __init__(self, sock: socket.socket, ends_s: float, max_bytes: int) -> None:
        self._sock, self._ends_s, self._max_bytes = sock, ends_s, max_bytes

    def sendall(self, data: bytes) -> None:
        """Sends data, or as much as the server takes: it may reply before it has read all."""
        with suppress(ConnectionError, ssl.SSLEOFError):
            for start in range(0, len(data), PIECE_BYTES):
                _limit(self._sock, self._ends_s)
                self._sock.sendall(data[start : start + PIECE_BYTES])

    def makefile(self, mode: str) -> io.BufferedReader:
        """Returns what is received, as a file."""
        return io.BufferedReader(_Received(self._sock, self._ends_s, self._max_bytes))

    def close(self) -> None:
        """Closes the socket once its file is closed as well."""
        self._sock.close()


class _Received(io.RawIOBase):
    """The bytes that a socket receives, until a moment and up to a number of them."""

    def __init__(self, sock: socket.socket, ends_s: float, max_bytes: int) -> None:
        self._sock, self._file = sock, sock.makefile("rb", buffering=0)
        self._ends_s, self._max_bytes, self._left = ends_s, max_bytes, max_bytes

    def readable(self) -> bool:
        """Returns that it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Receives some bytes and returns how many. Raises OSError, EndpointError."""
        _limit(self._sock, self._ends_s)
        count = self._file.readinto(buffer) or 0
        self._left -= count
        if self._left < 0:
            raise EndpointError(f"a reply over {self._max_bytes} bytes")
        return count

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


def _limit(sock: socket.socket, ends_s: float) -> None:
    """Lets a socket wait until a moment. Raises TimeoutError if that is past."""
    left_s = ends_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    sock.settimeout(left_s)
