"""Tests of alexnet.web.server: ports, and how it is stopped (by a server of its own)."""

import signal
import socket
import threading
import time
from contextlib import ExitStack, asynccontextmanager

import pytest
from starlette.applications import Starlette

from alexnet.errors import AlexNetError, UsageError
from alexnet.web.server import address, listen, serve


def test_a_port_is_taken_and_told():
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert address(listening) == f"http://127.0.0.1:{port}/"
        with socket.create_connection(("127.0.0.1", port)):
            pass  # connections wait from then on


def test_an_address_that_means_all_is_told_as_one_to_open():
    with listen("0.0.0.0", 0) as listening:
        assert address(listening).startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_of_the_sixth_kind_stands_in_brackets():
    try:
        listening = listen("::1", 0)
    except UsageError:
        pytest.skip("this machine has no ::1")
    with listening:
        assert address(listening).startswith("http://[::1]:")


def test_a_port_in_use_is_refused_with_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} is in use: choose another, or --port 0"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such name", "a" * 70 + ".example", "\udcff"])
def test_an_address_of_others_is_refused(host, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror("Name or service not known")

    if host != "192.0.2.1":
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UsageError, match="--host"):
        listen(host, 0)


def test_why_it_does_not_start_is_told():
    @asynccontextmanager
    async def broken(app):
        app.state.failure = "no memory"
        raise RuntimeError
        yield

    with pytest.raises(AlexNetError, match=r"^the page does not start: no memory$"):
        serve(Starlette(lifespan=broken), listen("127.0.0.1", 0))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_and_answers_under_way_come(own_live, files, number, code):
    data = files[0].read_bytes()
    head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    with socket.create_connection(("127.0.0.1", own_live.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data[:-1])
        time.sleep(0.2)
        own_live.process.send_signal(number)
        time.sleep(0.5)
        connection.sendall(data[-1:])
        assert connection.recv(5000).startswith(b"HTTP/1.1 200")
    begun = time.perf_counter()
    assert own_live.process.wait(10) == code
    assert time.perf_counter() - begun < 5
    assert own_live.process.stderr.read() == ("stopped\n" if code == 130 else "")


@pytest.mark.slow
def test_it_does_not_wait_for_those_who_never_end(own_live):
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n"
    with ExitStack() as opened:
        for begun in (b"", b"GET", head, head + b"abc"):
            opened.enter_context(socket.create_connection(("127.0.0.1", own_live.port))).sendall(begun)
        time.sleep(0.2)
        begun = time.perf_counter()
        own_live.process.send_signal(signal.SIGTERM)
        assert own_live.process.wait(10) == 143
        assert time.perf_counter() - begun < 5.5
    assert own_live.process.stderr.read() == ""


def test_nothing_is_left_of_a_server_that_was_killed(own_live, files):
    own_live.ask("POST", "/", files[0].read_bytes())
    (child,) = own_live.processes[1:]
    own_live.process.kill()
    own_live.process.communicate()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{child}/stat") as stat:
                if stat.read().split()[2] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.05)
    pytest.fail("the decoder still runs")


@pytest.mark.slow
def test_many_ask_while_it_stops(own_live, files):
    """No request gets a torn answer: it is whole, or the connection is closed."""
    data, seen = files[0].read_bytes(), []

    def ask():
        while True:
            try:
                seen.append(own_live.ask("POST", "/", data).status)
            except OSError:
                return
            except Exception as error:
                seen.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    own_live.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(15)
    assert own_live.process.wait(10) == 143
    assert 200 in seen
    assert not [one for one in seen if isinstance(one, int) and one >= 500]
