"""Damaged checkpoints and those of something else: refused by name; where an older one is whole, it is taken."""

import json
import os
import random
import re
import shutil

import pytest

from alexnet.errors import DataError
from alexnet.runs.checkpoint import Checkpoint

COUNTS = [1, pytest.param(10, marks=pytest.mark.slow), pytest.param(100, marks=pytest.mark.release)]


@pytest.fixture
def run(whole, tmp_path):
    """A finished run that a test may spoil."""
    shutil.copytree(whole.path, tmp_path / "run")
    return tmp_path / "run"


def flipped(data, bit):
    """A copy with one bit the other way round."""
    other = bytearray(data)
    other[bit // 8] ^= 1 << bit % 8
    return bytes(other)


def refuses(path):
    """Whether a file is refused, by the right error; a DataError ends a command with 3."""
    try:
        Checkpoint.read(path)
    except DataError as error:
        return str(error).startswith(f"{path} ") and "\n" not in str(error)
    return False


@pytest.mark.parametrize("hundreds", COUNTS)
@pytest.mark.parametrize("name", ["best.safetensors", "newest"])
def test_every_single_flipped_bit_is_refuses(whole, hashing, tmp_path, name, hundreds):
    data = (hashing.newest(whole.path) if name == "newest" else whole.path / name).read_bytes()
    path = tmp_path / "flipped.safetensors"
    chance = random.Random(f"{name} {hundreds}")
    header = 8 * (8 + int.from_bytes(data[:8], "little"))
    # Half of them among the facts, which are few; half anywhere.
    bits = [chance.randrange(header if number % 2 else 8 * len(data)) for number in range(100 * hundreds)]
    for bit in [*range(64 + 8 * 40), *bits]:  # of the length, and of where the digest stands, every one
        path.write_bytes(flipped(data, bit))
        assert refuses(path), f"bit {bit} of {8 * len(data)} was flipped and nobody noticed"
    path.write_bytes(data)
    assert Checkpoint.read(path).facts


@pytest.mark.parametrize("hundreds", COUNTS)
def test_every_truncation_and_every_tail_is_refuses(whole, hashing, tmp_path, hundreds):
    data = hashing.newest(whole.path).read_bytes()
    path = tmp_path / "cut.safetensors"
    chance = random.Random(hundreds)
    for length in [0, 1, 7, 8, 9, 100, len(data) - 1, *(chance.randrange(len(data)) for _ in range(20 * hundreds))]:
        path.write_bytes(data[:length])
        assert refuses(path), f"cut to {length} of {len(data)} bytes"
    for tail in (b"\0", b"}", bytes(4096), data):
        path.write_bytes(data + tail)
        assert refuses(path), f"{len(tail)} bytes too many"


def test_two_bytes_that_changed_places_are_refuses(whole, hashing, tmp_path):
    """A sum of the bytes would not notice."""
    data = bytearray(hashing.newest(whole.path).read_bytes())
    here = len(data) // 2
    there = next(place for place in range(here, len(data)) if data[place] != data[here])
    data[here], data[there] = data[there], data[here]
    (tmp_path / "swapped.safetensors").write_bytes(data)
    assert refuses(tmp_path / "swapped.safetensors")


# Through the command.


def spoil(path, place=0.5):
    data = path.read_bytes()
    path.write_bytes(flipped(data, int(8 * len(data) * place)))


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "gone", "a pipe"])
def test_the_newest_one_that_is_whole_is_taken_with_a_word(alexnet, training, whole, hashing, tmp_path, how):
    run = tmp_path / "run"
    words = ("train", *training, "--run", "run")
    assert alexnet(*words, environment={"ALEXNET_FAULT": "log-written:2"}).code == -9
    newest, older = run / "checkpoints/96.safetensors", run / "checkpoints/48.safetensors"
    assert newest.exists()
    assert older.exists()
    if how == "flipped":
        spoil(newest)
    elif how == "cut":
        newest.write_bytes(newest.read_bytes()[:-1])
    else:
        newest.unlink()
        if how != "gone":
            {"empty": newest.touch, "a pipe": lambda: os.mkfifo(newest)}[how]()
    done = alexnet(*words)
    assert done.code == 0, done.err
    if how != "gone":
        assert re.search(rf"note: {newest.relative_to(tmp_path)} .*going on from \S*48\.safetensors", done.err)
    assert hashing.end_of(run) == whole.end
    assert hashing.files_of(run) == whole.files


def test_where_none_is_whole_it_is_refused_by_name(alexnet, run):
    for file in run.rglob("*.safetensors"):
        spoil(file, 0.9)
    for words in (("resume", "run"), ("evaluate", "run"), ("filters", "run"), ("export", "run", "new.pth")):
        done = alexnet(*words)
        assert done.code == 3, done
        assert re.fullmatch(r"error: \S*run/\S+\.safetensors is damaged \(its digest does not match\).*\n", done.err)
    assert not (run.parent / "new.pth").exists()


def test_verify_names_what_is_damaged(alexnet, run, hashing):
    whole = alexnet("verify", "run", "--json")
    assert (whole.code, json.loads(whole.out)) == (0, {"ok": True, "problems": []})
    spoil(hashing.newest(run))
    with open(run / "updates.jsonl", "a") as log:
        log.write('{"update": 2')
    done = alexnet("verify", "run", "--json")
    told = json.loads(done.out)
    assert (done.code, told["ok"]) == (3, False)
    found = [(problem["file"], problem["record"]) for problem in told["problems"]]
    rows = len((run / "updates.jsonl").read_text().splitlines())
    assert found == [(f"checkpoints/{hashing.newest(run).name}", None), ("updates.jsonl", rows - 1)]


POINTERS = ["", "[]", "{", "null", "7", '{"checkpoint": 7}', '{"checkpoint": "a\\u0000b"}', "[" * 100_000]
POINTERS += [json.dumps({"checkpoint": place}) for place in ("../../../../etc/passwd", "/dev/zero", ".", "recipe.json")]


@pytest.mark.parametrize("pointer", POINTERS, ids=lambda pointer: pointer[:40])
def test_a_pointer_to_anywhere_misleads_nobody(alexnet, run, whole, hashing, pointer):
    (run / "latest.json").write_text(pointer)
    (run / "best.safetensors").unlink()
    done = alexnet("evaluate", "run")
    assert done.code == 0, done.err
    assert alexnet("resume", "run").code == 0
    assert hashing.newest(run).name == hashing.newest(whole.path).name


# Of something else.


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def other_batch_size(run, store):
    edit(run / "recipe.json", batch_size=7)
    return "batch_size was 6, is 7"


def other_seed(run, store):
    edit(run / "recipe.json", seed=5)
    return "seed was 3, is 5"


def other_network(run, store):
    facts = json.loads((run / "architecture.json").read_text())
    (layer,) = [layer for layer in facts["layers"] if layer["name"] == "fc7"]
    layer["units"] = 17
    (run / "architecture.json").write_text(json.dumps(facts))
    return "fc7"


def other_store(run, store):
    edit(run / "store.json", path=str(store))
    return "is another store than run learned from"


def other_order_of_classes(run, store):
    names = json.loads((run / "classes.json").read_text())
    manifest = json.loads((store / "manifest.json").read_text())
    assert sorted(names) == sorted(manifest["classes"])
    (run / "classes.json").write_text(json.dumps(names[::-1]))
    edit(run / "store.json", path=str(store))
    return "the first that differs was"


def gone(run, store):
    edit(run / "store.json", path="/nowhere")
    return "/nowhere, which is gone"


@pytest.fixture
def half(launch, training, tmp_path):
    """A run that was killed after its second epoch."""
    words = ("train", *training, "--run", "run")
    ended = launch(*words, cwd=tmp_path, environment={"ALEXNET_FAULT": "log-written:2"}).wait()
    assert ended.code == -9
    return tmp_path / "run"


@pytest.fixture(scope="module")
def another_store(launch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("another")
    words = ("prepare", "shapes", "store", "--side", "32", "--count", "64", "--seed", "9")
    assert launch(*words, cwd=folder).wait().code == 0
    return folder / "store"


@pytest.mark.parametrize(
    "change", [other_batch_size, other_seed, other_network, other_store, other_order_of_classes, gone]
)
def test_what_is_no_longer_the_same_is_refused_by_name(alexnet, half, another_store, change):
    told = change(half, another_store)
    done = alexnet("resume", "run")
    assert (done.code, done.out) == (3, "")
    assert done.err.count("\n") == 1
    assert told in done.err


@pytest.mark.parametrize("change", [other_batch_size, other_seed, other_store])
def test_unless_the_user_says_so(alexnet, half, another_store, change):
    change(half, another_store)
    done = alexnet("resume", "run", "--allow-changes")
    assert done.code == 0, done.err
    assert "the end will be another than it would have been" in done.err


def test_a_store_that_has_moved_is_named(alexnet, half, whole, training, hashing, tmp_path):
    shutil.copytree(training[0], tmp_path / "moved")
    gone(half, None)
    assert alexnet("resume", "run", "--store", "moved").code == 0
    assert hashing.end_of(half) == whole.end


def test_other_arguments_for_the_same_run_are_refused_by_name(alexnet, half, training):
    done = alexnet("train", *training, "--run", "run", "--lr", "0.5", "--mirror", "0")
    assert (done.code, done.out) == (2, "")
    assert "lr was 0.02, is 0.5" in done.err
    assert "mirror was 0.5, is 0" in done.err
