"""Tests of alexnet.web.protocol: connections that take too long, with short limits and a server in this process."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from alexnet.web import protocol
from alexnet.web.protocol import TimedProtocol

LARGE = b"x" * 30_000_000  # more than sockets hold


async def application(scope, receive, send):
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(0.8)
    answer = LARGE if scope["path"] == "/large" else b"%d" % len(body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


@contextmanager
def serving():
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            application, http=TimedProtocol, ws="none", lifespan="off", log_config=None, log_level="critical"
        )
    )
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def connect(monkeypatch):
    monkeypatch.setattr(protocol, "RECEIVE_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", 1.5)
    monkeypatch.setattr(protocol, "CONNECTIONS", 5)
    opened = []
    with serving() as port:

        def one():
            connection = socket.create_connection(("127.0.0.1", port), timeout=5)
            opened.append(connection)
            return connection

        yield one
        for connection in opened:
            connection.close()


def seconds_until_closed(connection, trickle=b""):
    """Send a byte now and then until the other side has enough."""
    begun = time.perf_counter()
    connection.settimeout(0.05)
    while time.perf_counter() - begun < 4:
        try:
            if trickle:
                connection.sendall(trickle)
            if connection.recv(1000) == b"":
                return time.perf_counter() - begun
        except TimeoutError:
            continue
        except OSError:
            return time.perf_counter() - begun
    return float("inf")


@pytest.mark.parametrize(
    ("begin", "trickle"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nX: ", b"x"),
    ],
    ids=["silent", "headers", "body", "chunks", "second request"],
)
def test_what_trickles_is_cut_off(connect, begin, trickle):
    connection = connect()
    connection.sendall(begin)
    assert 0.3 < seconds_until_closed(connection, trickle) < 1.4


def test_an_answer_may_take_longer_than_a_request(connect):
    connection = connect()
    connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_an_answer_that_nobody_takes_is_cut_off(connect):
    connection = connect()
    connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(2.2)
    taken = b"begun"
    total = 0
    while taken:
        try:
            taken = connection.recv(1_000_000)
        except ConnectionResetError:
            break
        total += len(taken)
    assert 0 < total < len(LARGE)


def test_a_connection_is_used_again_and_counted_anew(connect):
    connection = connect()
    for _ in range(3):
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        told = b""
        while not told.endswith(b"\r\n\r\n3"):
            told += connection.recv(1000)
        time.sleep(0.3)


def test_more_than_so_many_are_closed_at_once(connect):
    crowd = [connect() for _ in range(5)]
    assert seconds_until_closed(connect()) < 0.3
    crowd[0].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert crowd[0].recv(1000).startswith(b"HTTP/1.1 200")
    crowd[0].close()
    time.sleep(0.1)
    again = connect()
    again.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert again.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["TLS", "HTTP 0.9", "long header", "no host"],
)
def test_what_is_no_http_is_refused(connect, nonsense):
    connection = connect()
    connection.sendall(nonsense)
    assert connection.recv(1000).startswith(b"HTTP/1.1 400")


def test_nonsense_behind_a_request_closes_the_connection(connect):
    connection = connect()
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x00\x01\x02\r\n\r\n")
    assert seconds_until_closed(connection) < 1


def test_a_broken_chunk_closes_the_connection(connect):
    connection = connect()
    connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
    assert seconds_until_closed(connection) < 1
