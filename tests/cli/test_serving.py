"""Tests of alexnet.cli.serving."""

import builtins
import shutil
import socket

import pytest

from alexnet.cli.serving import run_serve  # noqa: F401  # so that it is there before its imports are hidden


@pytest.fixture
def run(tiny_run, tmp_path):
    """The tiny run once more: vectors are kept beside it."""
    return shutil.copytree(tiny_run, tmp_path / "served")


@pytest.fixture
def served(monkeypatch):
    """Serve nothing; what would have been served."""
    import alexnet.web.server as server

    found = []

    def serve(app, listening):
        found.append((app, listening.getsockname()))
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "serve", serve)
    return found


def test_the_page_is_for_this_machine_alone_unless_asked_otherwise(command, run, served):
    done = command("serve", run, "--port", 0)
    ((_, (host, port)),) = served
    assert host == "127.0.0.1"
    assert (done.code, done.out, done.err) == (130, f"http://127.0.0.1:{port}/ (Ctrl-C stops it)\n", "stopped\n")
    done = command("serve", run, "--port", 0, "--host", "0.0.0.0")
    assert served[1][1][0] == "0.0.0.0"
    assert done.err.startswith("warning: --host 0.0.0.0 lets others on the network use this page")


def test_a_port_in_use_is_told_before_anything_is_loaded(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = command("serve", tmp_path / "no-run", "--port", taken.getsockname()[1])
    assert done.code == 2
    assert "is in use: choose another, or --port 0" in done.err


def test_what_is_wrong_is_refused(command, run, tmp_path):
    assert "--port 70000 is out of range: 0 to 65535" in command("serve", run, "--port", 70000).err
    done = command("serve", tmp_path / "nowhere", "--port", 0)
    assert done.code == 2
    assert "is no run" in done.err
    assert command("serve", run, "--port", 0, "--device", "tpu").code == 2


def test_without_the_extra_it_says_what_to_install(command, run, monkeypatch):
    imported = builtins.__import__

    def without(name, *rest):
        if name == "alexnet.web.app":
            raise ImportError("No module named 'starlette'", name="starlette")
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    done = command("serve", run)
    assert (done.code, done.err) == (2, "error: the page needs starlette: pip install 'alexnet[web]'\n")
