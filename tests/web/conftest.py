"""The page as others meet it: `live` is the command `alexnet serve` in a process of its own; and pictures to send."""

import http.client
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

BYTES = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Live:
    """A server that listens at 127.0.0.1."""

    process: subprocess.Popen
    port: int
    folder: Path  # where it runs, and where it would put temporary files

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, method, path, body=None, headers=BYTES, timeout=20):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    @property
    def processes(self):
        """The server and the process that decodes for it."""
        found = [self.process.pid]
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                status = (folder / "status").read_text()
            except OSError:
                continue
            if f"\nPPid:\t{self.process.pid}\n" in status:
                found.append(int(folder.name))
        return found

    def megabytes(self):
        """Memory of all its processes."""
        statuses = [Path(f"/proc/{number}/status").read_text() for number in self.processes]
        return sum(int(text.split("VmRSS:")[1].split()[0]) for text in statuses) / 1024

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def started(run, folder, *words):
    """Start the command; it is ready then."""
    command = [sys.executable, "-W", "error", "-m", "alexnet", "serve", str(run), "--port", "0", "--device", "cpu"]
    places = {"cwd": folder, "env": os.environ | {"TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*command, *words], **places, **pipes)
    line = process.stdout.readline()
    assert line.startswith("http://"), process.communicate()
    server = Live(process, int(line.split("/ ")[0].rsplit(":", 1)[1]), folder)
    assert server.ask("GET", "/").status == 200  # which waits until it is warm
    return server


def stopped(live):
    """Stop it, if it still runs; what it said on standard error."""
    with live.process as process:  # which closes its pipes
        try:
            process.send_signal(signal.SIGTERM)
            return process.communicate(timeout=20)[1]
        finally:
            process.kill()


@pytest.fixture(scope="session")
def served_run(tmp_path_factory, tiny_run):
    """The tiny run once more: the first server of it keeps vectors beside it."""
    return shutil.copytree(tiny_run, tmp_path_factory.mktemp("run") / "served")


@pytest.fixture(scope="session")
def live(served_run, tmp_path_factory):
    """A server for all tests that leave it as it was; it must write nothing and have nothing to complain of."""
    server = started(served_run, tmp_path_factory.mktemp("folder"))
    yield server
    assert stopped(server) == ""
    assert list(server.folder.iterdir()) == []


@pytest.fixture
def own_live(served_run, tmp_path):
    """A server for one test."""
    server = started(served_run, tmp_path)
    yield server
    stopped(server)


@pytest.fixture(scope="session")
def model(tiny_run):
    from alexnet.prediction import load

    return load(tiny_run)


@pytest.fixture(scope="session")
def files(photos):
    return sorted(path for path in photos.rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def odd_pictures():
    """Every kind of picture file by name: its bytes, and whether it is refused."""
    path = Path(__file__).parents[1] / "data/test_picture_matrix.py"
    spec = importlib.util.spec_from_file_location("picture_matrix", path)
    matrix = importlib.util.module_from_spec(spec)
    sys.modules["picture_matrix"] = matrix  # its dataclass looks itself up there
    spec.loader.exec_module(matrix)
    return {name: (data, name in matrix.REFUSED) for name, (data, _) in matrix.MATRIX.items()}
