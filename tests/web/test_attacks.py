"""The page under load and attack, from outside: the command in a process of its own.

Each test has a short form; what takes longer is `slow`.
"""

import http.client
import json
import pickle
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from alexnet.data.decode import UnreadablePicture, decode
from alexnet.web.service import BODY_BYTES

BYTES = {"Content-Type": "application/octet-stream"}
on_linux = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")


def raw(live, request, seconds=20):
    """Send bytes as they are; what comes back, up to the end of the head, or nothing if the connection was closed."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=seconds) as connection:
        try:
            for part in [request] if isinstance(request, bytes) else request:
                connection.sendall(part)
        except OSError:
            pass  # it has enough; what it said may still be read
        told = b""
        try:
            while b"\r\n\r\n" not in told and (part := connection.recv(10_000)):
                told += part
        except ConnectionResetError:
            pass
        return told


def status_of(told):
    return int(told.split(b" ")[1]) if told else None


def same(told, expected):
    """Whether an answer is the expected one, but for rounding."""
    labels = [one["label"] for one in told] == [one.label for one in expected]
    close = all(abs(one["probability"] - two.probability) < 1e-5 for one, two in zip(told, expected, strict=True))
    return labels and close


# Load (W1).


def crowd(live, model, files, clients, each):
    """Let many ask at once, and again where the server is busy; how long each answer took."""
    expected = [model.predict(file)[0] for file in files]

    def client(number):
        seconds, connection = [], http.client.HTTPConnection("127.0.0.1", live.port, timeout=60)
        for place in range(each):
            chosen = (number + place) % len(files)
            while True:
                begun = time.perf_counter()
                connection.request("POST", "/", files[chosen].read_bytes(), BYTES)
                response = connection.getresponse()
                told = json.loads(response.read())
                if response.status != 503:
                    break
                time.sleep(float(response.headers["Retry-After"]))
            seconds.append(time.perf_counter() - begun)
            assert response.status == 200
            assert same(told[0]["top"], expected[chosen]), (told, expected[chosen])
        connection.close()
        return seconds

    with ThreadPoolExecutor(clients) as pool:
        return sorted(one for some in pool.map(client, range(clients)) for one in some)


def test_a_crowd_gets_the_right_answers(live, model, files):
    assert len(crowd(live, model, files, clients=8, each=6)) == 48


@pytest.mark.slow
def test_a_large_crowd_gets_the_right_answers_in_time(live, model, files):
    seconds = crowd(live, model, files, clients=32, each=25)
    assert len(seconds) == 800
    assert seconds[int(0.99 * 800)] <= 3


# What is sent (W2, W7).


def test_every_odd_picture_is_answered_as_predict_would(live, model, odd_pictures, served_run):
    before = sorted((path, path.stat().st_mtime_ns) for path in served_run.rglob("*"))
    assert len(odd_pictures) >= 45
    for name, (data, refused) in odd_pictures.items():
        answer = live.ask("POST", "/", data)
        (told,) = json.loads(answer.body)
        if refused:
            with pytest.raises(UnreadablePicture) as reason:
                decode(data)
            assert (answer.status, told) == (422, {"file": "-", "error": str(reason.value)}), name
        else:
            assert answer.status == 200, name
            assert same(told["top"], model.predict(data)[0]), name
    assert sorted((path, path.stat().st_mtime_ns) for path in served_run.rglob("*")) == before


def test_what_is_no_picture_is_never_opened_as_anything_else(live, tiny_run, tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "executed",)

    checkpoint = (tiny_run / "best.safetensors").read_bytes()
    for data in (
        pickle.dumps(Evil()),
        b"PK\x03\x04" + pickle.dumps(Evil()),
        checkpoint,
        checkpoint[:100],
        b"\x93NUMPY",
    ):
        for path in ("/", "/look"):
            assert live.ask("POST", path, data).status == 422
    assert not (tmp_path / "executed").exists()


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
TOO_MUCH = {
    "declared": [HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1)],
    "declared a gigabyte": [HEAD + b"Content-Length: 1000000000\r\n\r\n", *[b"x" * 1_000_000] * 11],
    "chunks": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n"] * 11],
    "a long name": [HEAD[:-2] + b'; name="', *[b"x" * 1_000_000] * 5],
    "many headers": [HEAD, *[b"X: y\r\n" * 10_000] * 5],
    "a long path": [b"GET /", *[b"x" * 1_000_000] * 5],
    "a long method": [b"G" * 100_000],
    "lengths that differ": [HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"],
    "length and chunks": [HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"],
    "a negative length": [HEAD + b"Content-Length: -1\r\n\r\n"],
    "a length of letters": [HEAD + b"Content-Length: many\r\n\r\n"],
    "ten thousand parts": [
        HEAD.replace(b"image/png", b"multipart/form-data; boundary=b") + b"Content-Length: 650000\r\n\r\n",
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n\r\nx\r\n' * 10_000,
    ],
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much_is_refused_at_once(live, name):
    begun = time.perf_counter()
    status = status_of(raw(live, TOO_MUCH[name]))
    assert status in (400, 413, 415, 422, 431, None)
    assert status or name in ("a long name", "many headers", "a long path", "a long method")
    assert time.perf_counter() - begun < 3
    assert live.ask("GET", "/").status == 200


# Who asks, and for what (W4, W5).


@pytest.mark.parametrize(
    "header",
    [
        b"Host: evil.example",
        b"Host: evil.example:%d",
        b"Host: 127.0.0.1.evil.example",
        b"Host: 0.0.0.0",
        b"Host: localhost\r\nOrigin: http://evil.example",
        b"Host: localhost\r\nOrigin: null",
        b"Host: localhost\r\nOrigin: https://localhost.evil.example",
        b"Host: localhost\r\nSec-Fetch-Site: cross-site",
        b"Host: localhost\r\nSec-Fetch-Site: same-site",
    ],
)
@pytest.mark.parametrize("method", [b"POST", b"GET", b"OPTIONS"])
def test_foreigners_get_nothing(live, method, header):
    header = header % live.port if b"%d" in header else header
    told = raw(live, method + b" / HTTP/1.1\r\n" + header + b"\r\nContent-Type: image/png\r\nContent-Length: 0\r\n\r\n")
    assert status_of(told) in (403, 421)
    assert b"access-control" not in told.lower()


def test_a_preflight_gets_no_leave(live):
    own = b"Host: localhost\r\nOrigin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n"
    told = raw(live, b"OPTIONS / HTTP/1.1\r\n" + own + b"\r\n")
    assert status_of(told) == 405
    assert b"access-control" not in told.lower()


def test_a_request_that_names_no_host_is_refused(live):
    assert status_of(raw(live, b"GET / HTTP/1.0\r\n\r\n")) == 421
    assert status_of(raw(live, b"GET / HTTP/1.1\r\n\r\n")) == 400


@pytest.mark.parametrize(
    "path",
    [
        *("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/%252e%252e/etc/passwd", "/..%5c..%5cetc%5cpasswd"),
        *("//etc/passwd", "/etc/passwd", "/page/page.js", "/page.js%00", "/%00", "/./style.css", "/page.js/../app.py"),
        *("/app.py", "/__init__.py", "/file:///etc/passwd", "http://evil.example/", "/\xff", "/..;/", "/~root", "*"),
    ],
)
def test_no_path_leads_out(live, path):
    told = raw(live, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("latin-1"))
    assert status_of(told) in (400, 404)


def test_a_websocket_is_not_had(live):
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
    told = raw(live, b"GET /look HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n")
    assert status_of(told) == 405


# What takes time (W3), and what it leaves behind (W10).


@pytest.mark.slow
@pytest.mark.parametrize("begin", [b"POST / HTTP/1.1\r\nHost: localhost\r\n", HEAD + b"Content-Length: 5000\r\n\r\n"])
def test_those_who_trickle_are_cut_off_and_keep_nobody_waiting(live, files, begin):
    data = files[0].read_bytes()
    with ExitStack() as opened:
        slow = [opened.enter_context(socket.create_connection(("127.0.0.1", live.port))) for _ in range(200)]
        begun, longest = time.perf_counter(), 0.0
        for connection in slow:
            connection.sendall(begin)
            connection.settimeout(0.001)
        while slow and time.perf_counter() - begun < 20:
            asked = time.perf_counter()
            assert live.ask("POST", "/", data).status == 200
            longest = max(longest, time.perf_counter() - asked)
            slow = [connection for connection in slow if still_open(connection)]
            time.sleep(0.5)
        assert not slow
        assert time.perf_counter() - begun <= 15
        assert longest <= 1


def still_open(connection):
    try:
        connection.sendall(b"x")
        return connection.recv(1000) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


@on_linux
@pytest.mark.slow
def test_a_thousand_bad_ones_leave_nothing_behind(own_live, files):
    good = files[0].read_bytes()
    bad = [good[: len(good) // 2], b"x" * 1000, b""]
    for data in [good, *bad] * 5:
        own_live.ask("POST", "/", data)
    before, open_before = own_live.megabytes(), own_live.open_files()
    for number in range(1000):
        assert own_live.ask("POST", "/", bad[number % 3]).status == 422
    for request in TOO_MUCH.values():
        raw(own_live, request)
    begun = time.perf_counter()
    assert own_live.ask("POST", "/", good).status == 200
    assert time.perf_counter() - begun <= 1
    time.sleep(0.5)
    assert own_live.open_files() <= open_before
    assert own_live.megabytes() - before <= 50


@on_linux
@pytest.mark.slow
def test_a_gigabyte_does_not_fill_the_memory(own_live, files):
    own_live.ask("POST", "/", files[0].read_bytes())
    before, highest, sending = own_live.megabytes(), [0.0], threading.Event()

    def watch():
        while not sending.is_set():
            highest[0] = max(highest[0], own_live.megabytes())
            time.sleep(0.02)

    watching = threading.Thread(target=watch)
    watching.start()
    chunk = b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n"
    requests = [[HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 1000]] * 2
    requests += [[HEAD + b"Content-Length: 9000000\r\n\r\n", *[b"x" * 1_000_000] * 9]] * 12
    with ThreadPoolExecutor(8) as pool:
        statuses = [status_of(told) for told in pool.map(lambda request: raw(own_live, request), requests)]
    sending.set()
    watching.join()
    assert set(statuses) <= {413, 422, 503, None}
    assert highest[0] - before <= 50
    assert own_live.ask("POST", "/", files[0].read_bytes()).status == 200
