"""Tests of alexnet.web.app: what is answered to whom, in this process."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from starlette.testclient import TestClient

from alexnet.cli import main
from alexnet.prediction import Model
from alexnet.web import app as application
from alexnet.web import service as serving
from alexnet.web.app import make_app
from alexnet.web.service import Busy

BYTES = {"content-type": "application/octet-stream"}
JSON = {"accept": "application/json"}


@pytest.fixture(scope="module")
def client(model):
    with TestClient(make_app(model, "photos"), base_url="http://127.0.0.1") as client:
        yield client


# The page.


@pytest.mark.parametrize(
    ("path", "kind", "begin"),
    [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        ("/page.js", "text/javascript; charset=utf-8", '"use strict";'),
        ("/style.css", "text/css; charset=utf-8", ":root {"),
        ("/icon.svg", "image/svg+xml", "<svg "),
    ],
)
def test_the_page_has_its_files(client, path, kind, begin):
    response = client.get(path, headers={"accept": "text/html,*/*"})
    assert response.status_code == 200
    assert response.headers["content-type"] == kind
    assert response.text.startswith(begin)


def test_no_file_of_the_page_names_anything_outside(client):
    for path in ("/", "/page.js", "/style.css", "/icon.svg"):
        text = client.get(path).text.replace("http://www.w3.org/2000/svg", "")
        for word in ("http:", "https:", '"//', "'//", "url(", " style=", "<style", "onclick", "innerHTML", "eval("):
            assert word not in text, (path, word)


def test_the_same_address_tells_programs_what_network_it_is(client, model):
    told = client.get("/", headers=JSON).json()
    assert told == {
        "name": "photos",
        "network": "tiny",
        "side": 24,
        "classes": model.classes,
        "neighbors": False,
        "bytes": 10_000_000,
    }


# Pictures.


def test_the_answer_is_that_of_predict_json(client, tiny_run, files, capsys):
    for file in files[:6]:
        assert main(["predict", str(tiny_run), str(file), "--json", "--device", "cpu"]) == 0
        (expected,) = json.loads(capsys.readouterr().out)
        response = client.post("/", content=file.read_bytes(), headers=BYTES)
        assert response.status_code == 200
        (told,) = response.json()
        assert told["file"] == "-"
        assert [one["label"] for one in told["top"]] == [one["label"] for one in expected["top"]]
        assert [one["probability"] for one in told["top"]] == pytest.approx(
            [one["probability"] for one in expected["top"]], abs=1e-6
        )


def test_a_look_is_answered(client, files):
    response = client.post("/look", content=files[0].read_bytes(), headers=BYTES | {"content-type": "image/jpeg"})
    assert set(response.json()) == {"seen", "importance", "maps", "neighbors"}


@pytest.mark.parametrize("path", ["/", "/look"])
def test_what_is_no_picture_is_refused_with_the_reason(client, path):
    response = client.post(path, content=b"<svg></svg>", headers=BYTES)
    assert response.status_code == 422
    assert response.json() == [{"file": "-", "error": "unsupported format SVG"}]


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "Text/Plain;charset=utf-8", ""]
)
def test_what_a_form_can_send_is_refused(client, files, kind):
    response = client.post("/", content=files[0].read_bytes(), headers={"content-type": kind})
    assert response.status_code == 415
    assert "application/octet-stream" in response.json()["error"]


def test_too_large_a_body_is_refused(client, monkeypatch):
    monkeypatch.setattr(serving, "BODY_BYTES", 1000)
    assert client.post("/", content=b"x" * 1001, headers=BYTES).status_code == 413
    assert client.post("/", content=iter([b"x" * 600, b"x" * 600]), headers=BYTES).status_code == 413
    assert client.post("/", content=b"x" * 1000, headers=BYTES).status_code == 422


def test_a_crowd_is_told_when_to_come_again(client, monkeypatch):
    async def busy(*_):
        raise Busy

    monkeypatch.setattr(serving.Service, "_receive", busy)
    response = client.post("/", content=b"x", headers=BYTES)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "again" in response.json()["error"]


def test_a_failure_is_told_here_and_shown_there(client, files, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("no memory")

    monkeypatch.setattr(serving, "look", broken)
    response = client.post("/look", content=files[0].read_bytes(), headers=BYTES)
    assert response.status_code == 500
    assert "RuntimeError" in response.json()["error"]
    assert "no memory" in caplog.text


def test_a_network_that_fails_at_once_keeps_the_page_from_starting(model, monkeypatch):
    def broken(*_):
        raise RuntimeError("no memory")

    monkeypatch.setattr(type(model), "predict", broken)
    app = make_app(model, "photos")
    with pytest.raises(RuntimeError, match="no memory"), TestClient(app):
        pass
    assert str(app.state.failure) == "no memory"


# Everything else.


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/look", 405),
        ("PUT", "/", 405),
        ("DELETE", "/page.js", 405),
        ("OPTIONS", "/", 405),
        ("TRACE", "/", 405),
        ("GET", "/index.html", 404),
        ("GET", "/look/", 404),
        ("GET", "/etc/passwd", 404),
        ("GET", "/web/app.py", 404),
    ],
)
def test_nothing_else_is_there(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert list(response.json()) == ["error"]


@pytest.fixture(scope="module")
def page(client):
    return {client.get(path).content for path in application.FILES}


@settings(deadline=None, max_examples=100)
@given(path=some.text(max_size=60))
def test_no_path_leads_to_another_file(client, page, path):
    raw = "".join(f"%{byte:02x}" for byte in path.encode(errors="surrogatepass"))
    response = client.get(f"/{raw}")
    assert response.status_code in (404, 405) or response.content in page


@settings(deadline=None, max_examples=100)
@given(
    some.sampled_from(["GET", "POST", "PUT", "HEAD", "PATCH"]),
    some.sampled_from(["/", "/look", "/page.js", "/x"]),
    some.binary(max_size=200) | some.binary(max_size=60).map(lambda rest: b"\xff\xd8\xff" + rest),
    some.dictionaries(
        some.sampled_from(["accept", "content-type", "origin", "host", "range", "expect", "cookie"]),
        some.text(some.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    ),
)
def test_nothing_that_is_sent_makes_it_fail(client, method, path, body, headers):
    assert client.request(method, path, content=body, headers=headers).status_code < 500


def test_names_with_odd_bytes_are_told(model, files):
    odd = [f"{name}\udcff" for name in model.classes]
    app = make_app(Model(replace(model.trained, classes=odd)), "photos")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/", headers=JSON).json()["classes"] == odd
        (told,) = client.post("/", content=files[0].read_bytes(), headers=BYTES).json()
    assert {guess["label"] for guess in told["top"]} <= set(odd)
