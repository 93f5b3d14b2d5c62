"""Tests of alexnet.rotation."""

import json

import pytest

from alexnet import rotation
from alexnet.errors import AlexNetError, DataError


@pytest.fixture
def run(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def sound(monkeypatch):
    """Take every file for whole that does not say that it is not."""

    def check(path, from_disk=False):
        if path.read_bytes() == b"bad":
            raise DataError(f"{path} is damaged")

    monkeypatch.setattr(rotation.sealed, "check", check)


def put(run, *numbers, data=b"good"):
    for number in numbers:
        (run / f"checkpoints/{number}.safetensors").write_bytes(data)


def there(run):
    return [int(path.stem) for path in rotation.newest_first(run)]


def read(path):
    rotation.sealed.check(path)
    return path.name


def keep(run, number, data=b"good"):
    return rotation.keep(run, number, lambda stream: stream.write(data), len(data))


def test_the_newest_two_are_kept_by_number_not_by_name(run):
    put(run, 9, 96, 128)
    assert there(run) == [128, 96, 9]
    assert keep(run, 1024).name == "1024.safetensors"  # as text, it comes before 128
    assert there(run) == [1024, 128]
    pointer = json.loads((run / "latest.json").read_text())
    assert pointer == {"checkpoint": "checkpoints/1024.safetensors", "images_seen": 1024}


def test_a_damaged_one_that_was_passed_over_gives_way_to_the_next_whole_one(run):
    put(run, 48)
    put(run, 96, data=b"bad")
    keep(run, 64)
    assert there(run) == [64, 48]


def test_the_old_ones_stay_until_the_new_one_reads_back_as_it_was_written(run):
    put(run, 16, 32)
    with pytest.raises(AlexNetError, match=r"48\.safetensors is not on the disk as it was written: check the disk"):
        keep(run, 48, b"bad")
    assert there(run) == [48, 32, 16]
    assert not (run / "latest.json").exists()


def test_the_newest_whole_one_is_read_with_a_word_for_each_that_is_not(run, capsys):
    put(run, 16, 32)
    assert rotation.newest(run, read) == (run / "checkpoints/32.safetensors", "32.safetensors")
    assert capsys.readouterr().err == ""
    put(run, 48, 64, data=b"bad")
    assert rotation.newest(run, read)[1] == "32.safetensors"
    told = capsys.readouterr().err.splitlines()
    good = run / "checkpoints/32.safetensors"
    assert told == [f"note: {run}/checkpoints/{n}.safetensors is damaged; going on from {good}" for n in (64, 48)]


def test_where_none_is_whole_the_newest_is_named(run):
    with pytest.raises(DataError, match="has no checkpoint yet: go on with `alexnet resume"):
        rotation.newest(run, read)
    assert not rotation.any_saved(run)
    (run / "latest.json").write_text("{}")
    assert rotation.any_saved(run)
    with pytest.raises(DataError, match="has lost its checkpoints: restore them, or begin anew in another folder"):
        rotation.newest(run, read)
    put(run, 48, 64, data=b"bad")
    with pytest.raises(DataError, match=r"64\.safetensors is damaged"):
        rotation.newest(run, read)


def test_the_best_is_read_and_the_newest_where_there_is_none_or_it_is_damaged(run, capsys):
    put(run, 48)
    assert rotation.best(run, read)[1] == "48.safetensors"
    (run / "best.safetensors").write_bytes(b"good")
    assert rotation.best(run, read)[1] == "best.safetensors"
    assert capsys.readouterr().err == ""
    (run / "best.safetensors").write_bytes(b"bad")
    assert rotation.best(run, read)[1] == "48.safetensors"
    assert "best.safetensors is damaged; going on from" in capsys.readouterr().err


def test_what_a_kill_left_is_made_good(run, capsys):
    put(run, 16, 32, 48)
    for name in (".log.jsonl.tmp-7", "checkpoints/.64.safetensors.tmp-7"):
        (run / name).touch()
    rotation.point_at(run, run / "checkpoints/32.safetensors")
    rotation.tidy(run, run / "checkpoints/48.safetensors")
    assert there(run) == [48, 32]
    assert rotation.pointed_at(run) == run / "checkpoints/48.safetensors"
    assert sorted(path.name for path in run.iterdir()) == ["checkpoints", "latest.json"]
    assert len(list((run / "checkpoints").iterdir())) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"checkpoint": "checkpoints/7.safetensors"}', '{"checkpoint": "/x"}']
)
def test_a_pointer_that_is_damaged_is_written_anew_with_a_word(run, capsys, text):
    put(run, 48)
    (run / "latest.json").write_text(text)
    assert rotation.pointed_at(run) is None
    rotation.tidy(run, run / "checkpoints/48.safetensors")
    assert rotation.pointed_at(run) == run / "checkpoints/48.safetensors"
    assert "latest.json named no checkpoint that is there; it points at 48.safetensors" in capsys.readouterr().err


def test_room_is_asked_for_one_more_than_is_kept_and_two_of_the_best(run, monkeypatch):
    usage = rotation.shutil.disk_usage(run)
    monkeypatch.setattr(rotation.shutil, "disk_usage", lambda path: usage._replace(free=3_000_000 + 400_000))
    rotation.refuse_full(run, 1_000_000, 200_000)
    full = r"no room for the checkpoints of .*/new/run: 3.5 MB needed, 3.4 MB free there; make room, or choose another"
    with pytest.raises(AlexNetError, match=full):
        rotation.refuse_full(run / "new/run", 1_000_000, 250_000)
    put(run, 16, data=bytes(100_000))  # what is there already needs no room again
    rotation.refuse_full(run, 1_000_000, 250_000)


def test_a_finished_run_may_forget_all_but_its_best(run):
    put(run, 1, 2)
    (run / "best.safetensors").write_bytes(b"good")
    (run / rotation.POINTER).write_text("{}")
    rotation.forget(run)
    assert not rotation.any_saved(run)
    assert rotation.best(run, read) == (run / "best.safetensors", "best.safetensors")
