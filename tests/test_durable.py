import errno
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from alexnet import durable
from alexnet.errors import AlexNetError


def listing(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_whole(tmp_path):
    durable.write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert listing(tmp_path) == ["a"]


def write_half(path, error):
    with durable.atomic_file(path) as stream:
        stream.write(b"half")
        raise error


def test_a_failed_write_keeps_the_old_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(KeyError):
        write_half(tmp_path / "a", KeyError())
    assert (tmp_path / "a").read_bytes() == b"old"
    assert listing(tmp_path) == ["a"]


def test_a_full_disk_is_told_in_one_line_with_the_space_left(tmp_path):
    with pytest.raises(AlexNetError, match=r"cannot write .*/a: No space left on device, [\d,]+ MB free there"):
        write_half(tmp_path / "a", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert listing(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOENT])
def test_room_is_not_told_where_it_is_not_the_matter(tmp_path, number):
    error = durable.write_error(tmp_path / "a", OSError(number, os.strerror(number)), 5_000_000)
    assert str(error) == f"cannot write {tmp_path}/a: {os.strerror(number)}"


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(AlexNetError, match=r"cannot write .*no/such: No such file"):
        durable.write_atomic(tmp_path / "no" / "such", b"")


def test_json_is_readable(tmp_path):
    durable.write_json(tmp_path / "a.json", {"name": "Gänseblümchen"})
    assert json.loads((tmp_path / "a.json").read_text()) == {"name": "Gänseblümchen"}
    assert "ä" in (tmp_path / "a.json").read_text()


def test_json_holds_any_file_name(tmp_path):
    name = os.fsdecode(b"Katzen \xff")  # no UTF-8
    durable.write_json(tmp_path / "a.json", [name])
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == [name]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path):
    for content in ("old", "new"):
        with durable.atomic_folder(tmp_path / "deep" / "store") as folder:
            (folder / content).write_text(content)
            assert not (tmp_path / "deep" / "store" / "new").exists()
    assert listing(tmp_path / "deep") == ["store"]
    assert listing(tmp_path / "deep" / "store") == ["new"]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_a_failed_folder_leaves_the_old_one(tmp_path, error):
    def fail():
        with durable.atomic_folder(tmp_path / "store") as folder:
            (folder / "new").touch()
            raise error

    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "old").touch()
    with pytest.raises(error):
        fail()
    assert listing(tmp_path) == ["store"]
    assert listing(tmp_path / "store") == ["old"]


def test_leftovers_of_killed_writers_are_swept_and_nothing_else(tmp_path):
    for name in (".a[1].tmp-77", ".a[1].old-77", "a[1]"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / ".a[1].tmp-78").touch()
    (tmp_path / ".a1.tmp-77").touch()
    (tmp_path / ".a[1].lock").touch()
    durable.sweep_temporaries(tmp_path / "a[1]")
    assert listing(tmp_path) == [".a1.tmp-77", ".a[1].lock", "a[1]"]


def test_digests_are_those_of_hashlib(tmp_path):
    data = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(data)
    with open(tmp_path / "a", "rb") as stream:
        assert durable.digest_of(stream, hashlib.blake2b) == hashlib.blake2b(data).hexdigest()
    assert durable.file_digest(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_a_second_holder_of_a_lock_is_refused_with_the_first_ones_process(tmp_path):
    place = tmp_path / "deep" / "lock"
    message = rf"STORE is in use by another alexnet command .process {os.getpid()}."
    with durable.lock(place, "STORE"), pytest.raises(AlexNetError, match=message), durable.lock(place, "STORE"):
        pytest.fail("two holders")
    with durable.lock(place, "STORE"):
        pass


def test_a_lock_in_an_impossible_place_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AlexNetError, match="cannot write"), durable.lock(tmp_path / "file" / "lock", "STORE"):
        pass


def test_a_lock_is_held_on_a_full_disk_too(tmp_path, monkeypatch):
    def full(handle, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    place = tmp_path / "lock"
    with durable.lock(place, "it"), pytest.raises(AlexNetError, match="process unknown"), durable.lock(place, "it"):
        pass


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path):
    code = "import sys,time; from pathlib import Path; from alexnet.durable import lock\n"
    code += "with lock(Path(sys.argv[1]), 'it'): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(AlexNetError, match=str(holder.pid)), durable.lock(tmp_path / "lock", "it"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    started = time.monotonic()
    with durable.lock(tmp_path / "lock", "it"):
        assert time.monotonic() - started < 1


def test_the_holder_of_a_lock_is_told_with_machine_command_and_time(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/alexnet", "prepare", "two words\n", "x" * 200])
    with durable.lock(tmp_path / "lock", "STORE"):
        pass
    held = (tmp_path / "lock").read_text()
    assert held.startswith(f"{os.getpid()} on {socket.gethostname()}, alexnet prepare 'two words")
    place = tmp_path / "lock"
    with durable.lock(place, "it"), pytest.raises(AlexNetError) as caught, durable.lock(place, "it"):
        pytest.fail("two holders")
    assert re.search(r"xx…, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\): wait for it", str(caught.value))
    assert "\n" not in str(caught.value)


def test_a_folder_that_was_moved_aside_for_one_that_never_came_is_put_back(tmp_path):
    (tmp_path / ".a.old-77").mkdir()
    (tmp_path / ".a.old-77" / "file").touch()
    durable.sweep_temporaries(tmp_path / "a")
    assert listing(tmp_path) == ["a"]
    assert listing(tmp_path / "a") == ["file"]


STRIKE = """
import sys
from pathlib import Path
from alexnet.durable import write_atomic
for number in range(3):
    write_atomic(Path(sys.argv[1]) / str(number), b"new")
"""


@pytest.mark.parametrize(
    ("fault", "written"),
    [("file-written", 0), ("file-synced", 0), ("file-renamed", 1), ("file-synced:3", 2), ("file-synced:4", 3), ("", 3)],
)
def test_a_fault_point_kills_at_the_passing_that_is_named(tmp_path, fault, written):
    environment = {**os.environ, "ALEXNET_FAULT": fault}
    done = subprocess.run([sys.executable, "-c", STRIKE, str(tmp_path)], env=environment, timeout=60)
    assert done.returncode == (-signal.SIGKILL if written < 3 else 0)
    assert [name for name in listing(tmp_path) if not name.startswith(".")] == [str(i) for i in range(written)]


def test_a_fault_point_that_does_not_exist_is_told(monkeypatch):
    durable.fault("file-written")
    monkeypatch.setenv("ALEXNET_FAULT", "file-wirtten")
    with pytest.raises(ValueError, match="no fault point is called file-wirtten: file-written, "):
        durable.fault("file-written")
    monkeypatch.setenv("ALEXNET_FAULT", "shard-half")
    with pytest.raises(ValueError, match="no fault point is called nowhere"):
        durable.fault("nowhere")
