"""Tests of alexnet.web.guard."""

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from alexnet.web.guard import HEADERS, Guard, known_hosts, named


@pytest.fixture
def reached():
    return []


@pytest.fixture
def client(reached):
    async def answer(request):
        reached.append(request.method)
        return PlainTextResponse("done", headers={"Cache-Control": "public"})

    routes = [Route("/", answer, methods=["GET", "POST", "OPTIONS"])]
    app = Starlette(routes=routes, middleware=[Middleware(Guard, host="127.0.0.1")])
    return TestClient(app, base_url="http://127.0.0.1:8000")


GOOD = [
    {},
    {"host": "localhost"},
    {"host": "LocalHost:8000"},
    {"host": "[::1]:8000"},
    {"host": "127.0.0.1"},
    {"origin": "http://127.0.0.1:8000"},
    {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
]
FOREIGN = [
    (421, {"host": "evil.example"}),
    (421, {"host": "evil.example:8000"}),
    (421, {"host": "127.0.0.1.evil.example"}),
    (421, {"host": "localhost@evil.example"}),
    (421, {"host": "evil.example/127.0.0.1"}),
    (421, {"host": "127.0.0.1:8000#"}),
    (421, {"host": "127.0.0.1:port"}),
    (421, {"host": "192.168.1.7:8000"}),
    (421, {"host": ""}),
    (403, {"origin": "http://evil.example"}),
    (403, {"origin": "null"}),
    (403, {"origin": ""}),
    (403, {"origin": "http://127.0.0.1:9000"}),
    (403, {"origin": "http://localhost:8000"}),
    (403, {"origin": "file://"}),
    (403, {"sec-fetch-site": "cross-site"}),
    (403, {"sec-fetch-site": "same-site"}),
]


@pytest.mark.parametrize("headers", GOOD, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_page_and_programs_of_this_machine_may_ask(client, reached, method, headers):
    assert client.request(method, "/", headers=headers).text == "done"
    assert reached == [method]


@pytest.mark.parametrize(("status", "headers"), FOREIGN, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_others_may_not_and_nothing_is_done(client, reached, method, status, headers):
    response = client.request(method, "/", headers=headers)
    assert response.status_code == status
    assert "open the address that alexnet serve printed" in response.json()["error"]
    assert not reached
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_every_answer_has_the_headers_once(client):
    for headers in ({}, {"host": "evil.example"}):
        response = client.get("/", headers=headers)
        for name, value in HEADERS.items():
            assert response.headers.get_list(name) == [value]
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_server_for_the_network_knows_its_own_names_only(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Study")
    one, every = known_hosts("192.168.1.7"), known_hosts("0.0.0.0")
    for knows in (one, every):
        assert knows("192.168.1.7")
        assert knows("localhost")
        assert not knows("evil.example")
        assert not knows("")
    assert not one("192.168.1.8")
    assert not one("study")
    assert every("192.168.1.8")
    assert every("fe80::1")
    assert every("study")


def test_a_name_stands_without_port_and_brackets():
    assert named("a.b:80") == "a.b"
    assert named("[fe80::1]") == "fe80::1"
    assert named("[fe80::1") == ""
    assert named("a:99999") == ""


def test_two_headers_that_disagree_are_refused():
    guard = Guard(PlainTextResponse("done"), "127.0.0.1")
    headers = Headers(
        raw=[(b"host", b"127.0.0.1"), (b"origin", b"http://127.0.0.1"), (b"origin", b"http://evil.example")]
    )
    assert guard.refusal(headers) is not None
