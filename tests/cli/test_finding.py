"""Tests of alexnet.cli.finding: neighbors."""

import json
import shutil

import pytest
from PIL import Image

from alexnet.data.store import Store


@pytest.fixture
def run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run")


def test_neighbors_of_five_test_pictures_are_told_and_drawn(command, run, tiny_store):
    done = command("neighbors", run)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[-1] == str(run / "neighbors.png")
    assert len(lines) == 3 * 5 + 1
    names = list(Store(tiny_store).splits["test"].names)
    assert all(line.split(" (")[0] in names for line in lines[:-1:3])
    assert all(line.startswith("  by relu7: ") and line.count(" · ") == 5 for line in lines[1::3])
    assert all(line.startswith("  by pixels: ") and line.count(" · ") == 5 for line in lines[2::3])
    with Image.open(run / "neighbors.png") as image:
        assert image.size[0] == 1080
    assert command("neighbors", run).out == done.out  # from the vectors that are kept now
    assert len(list((run / "features").iterdir())) == 2


def test_one_json_value_is_printed_and_nothing_drawn(command, run):
    done = command("neighbors", run, "--json", "--layer", "conv2")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert len(told) == 5
    assert [list(one) for one in told] == [["query", "label", "neighbors", "by_pixels"]] * 5
    distances = [one["distance"] for one in told[0]["neighbors"]]
    assert distances == sorted(distances)
    assert not (run / "neighbors.png").exists()
    assert [path.name.split("-")[1] for path in sorted((run / "features").iterdir())] == ["conv2", "pixels"]


def test_own_pictures_may_be_asked_about(command, run, photos, tmp_path):
    query = photos / "train" / "cats"
    done = command("neighbors", run, "--query", query, query / "0.jpg", "--json", "--out", "mine.png")
    told = json.loads(done.out)
    assert [one["query"] for one in told] == [str(file) for file in (*sorted(query.iterdir()), query / "0.jpg")]
    assert {one["label"] for one in told} == {None}
    assert (tmp_path / "mine.png").is_file()


def test_a_bad_picture_among_others_is_told_and_stops_none(command, photo_run, photos, tmp_path):
    (photos / "train").mkdir(exist_ok=True)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    good = next((photos / "train").rglob("*.[jp]*g"))
    done = command("neighbors", photo_run, "--query", bad, good, "--out", "n.png")
    assert done.code == 3
    assert f"error: {bad}" in done.err
    assert f"{good}\n  by " in done.out
    assert (tmp_path / "n.png").is_file()
    assert command("neighbors", photo_run, "--query", bad, bad, "--out", "m.png").code == 3
    assert not (tmp_path / "m.png").exists()


def test_a_training_picture_finds_itself_first(command, photo_run, photos, tmp_path):
    run = shutil.copytree(photo_run, tmp_path / "run")
    (told,) = json.loads(command("neighbors", run, "--query", photos / "train" / "cats" / "1.png", "--json").out)
    for way in ("neighbors", "by_pixels"):
        assert told[way][0]["name"] == "train/cats/1.png"
        assert told[way][0]["label"] == "cats"
        assert told[way][0]["distance"] < 0.01


def test_a_checkpoint_alone_needs_a_store(command, run, tiny_store, tmp_path):
    (tmp_path / "alone").mkdir()
    shutil.copy(run / "best.safetensors", tmp_path / "alone" / "mine.safetensors")
    done = command("neighbors", "alone/mine.safetensors")
    assert done.code == 2
    assert done.err == "error: alone/mine.safetensors is no run, which would know its store: say --store STORE\n"
    assert command("neighbors", "alone/mine.safetensors", "--store", tiny_store).code == 0
    assert (tmp_path / "alone" / "neighbors.png").is_file()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--layer", "rellu7"], 2, "tiny has no layer rellu7: did you mean relu7?"),
        (["--out", "mine.jpg"], 2, "mine.jpg would hold a PNG: end its name in .png"),
        (["--query", "gone.jpg"], 3, "gone.jpg: no such file"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(command, run, words, code, message):
    done = command("neighbors", run, *words)
    assert (done.code, done.err) == (code, f"error: {message}\n")


def test_a_store_without_held_out_pictures_needs_a_query(command, run, tiny_store, tmp_path):
    store = Store(tiny_store)
    assert "val" not in store.splits or "test" in store.splits
    done = command("neighbors", run, "--store", tmp_path)
    assert done.code == 2
    assert "is not a store" in done.err
