"""Wrong arguments over all verbs: exit code 2, one line, no traceback, and nothing is written."""

import argparse
import json
import shutil

import pytest

from alexnet.cli import main, parser

# `store` and `run` are whole; `taken` is a folder with other things in it, `file` a file, `hollow` an empty folder.
BAD = """
demo --out
demo extra
demo --out file
demo --device gpu
demo --device ''
demo --epochs 3
prepare ''
prepare shapes new --side -5
prepare shapes new --side 4097
prepare shapes new --side 1e3
prepare shapes new --count -1
prepare shapes new --count ten
prepare shapes new --workers two
prepare shapes new --format png
prepare shapes new --limit train=0
prepare shapes new --limit train=-3
prepare shapes new --limit =5
prepare shapes new --part 0/4
prepare shapes new --part 5/4
prepare shapes new --part half
prepare shapes new --seed one
prepare shapes file
prepare folder photos
prepare folder file new
prepare folder photos new --val-share 1.5
prepare folder photos new --val-share nan
prepare folder photos new --test-share -0.1
prepare folder photos photos
prepare folder photos photos/inside
prepare cifar10 nowhere new
prepare cats-dogs nowhere new
prepare stanford-dogs nowhere new
prepare stanford-dogs hollow new --classes-largest 0
prepare stanford-dogs hollow new --classes a --classes-largest 2
prepare imagenet nowhere new
prepare imagenet hollow new --per-class 0
prepare hub someone/something new --splits train
prepare hub someone/something new --splits train=a train=b
merge
merge new
merge new nowhere
merge new taken
data
data taken
data file
data store --head 0
data store --head many
data store --split tests
data store --sheet sheet.jpg
data store --sheet nowhere/sheet.png
data store --class circle
data store --class nothing --sheet sheet.png
data store --recipe fast
data store --recipe fats --batch batch.png
data store --arch papper --stages stages.png
data store --seed -1 --batch batch.png
data store --colour
verify
verify nowhere
verify file
verify hollow
verify store --jsno
train --run new
train file
train store --epochs -3
train store --epochs 1e3
train store --lr 1e400
train store --lr ''
train store --momentum -0.5
train store --weight-decay nan
train store --weight-average 1
train store --label-smoothing 1
train store --crop-scale-low 0
train store --rotation 360
train store --view-side 99999
train store --colour-noise -inf
train store --colour-form lightning
train store --precision float16
train store --max-updates -1
train store --seed 99999999999999999999
train store --shuffle yes
train store --layer-lr conv1
train store --layer-lr conv1=fast
train store --freeze conv9 --arch cifar-18pct
train store --optimizer nesterov --momentum 0
train store --vary dropout=2
train store --vary classes=0
train store --vary pool=overlaping
train store --vary without=conv9
train store --vary =
train store --weights nowhere.pth
train store --weights hollow
train store --weights file
train store --weights http://example.org/weights.pth
train store --weights hub:
train store --device cpu:1
train store --run ''
resume
resume run extra
resume file
resume hollow
resume store
resume run --device tpu
resume run --epochs 9
evaluate nowhere
evaluate run nowhere
evaluate run --crops 0
evaluate run --weights 1 2
evaluate run --weights 0
evaluate run --weights -1
evaluate run --weights some
evaluate run --confusion table.txt
evaluate run --confusion nowhere/table.csv
evaluate run --store run
evaluate run --device mps
predict
predict nowhere picture.png
predict run picture.png --top -1
predict run picture.png --top 1.5
predict run picture.png --device cuda:99
neighbors
neighbors nowhere
neighbors run --layer conv9
serve
serve nowhere
serve run --port many
report
report nowhere
filters
filters nowhere
filters run extra
export
export run
export run new.onnxx
export run new.txt
export nowhere new.pth
export run new.caffemodel
export run taken
info papper
info paper --classes -1
info paper --recipe fast
info --classes 5
info --vary towers=1
info paper --vary towers=0
info paper --vary side=5000
info --recipe nowhere.toml
reproduce nothing
reproduce write-up-000 --quick extra
reproduce --dat here
"""
LINES = [line for line in BAD.splitlines() if line]
# Each at a place of its own on the way: parsing, the recipe, the store, the network, the run.
OUTSIDE = [
    *("", "trian", "train store --epochs", "train store --lr nan", "train nowhere", "resume hollow"),
    *("evaluate run --crops 3", "export run new.txt", "prepare shapes new --side 0", "merge new taken"),
]


def words_of(line):
    return ["" if word == "''" else word for word in line.split()]


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_store, tiny_run, photos):
    """Things that a wrong command may name."""
    here = tmp_path_factory.mktemp("here")
    (here / "taken").mkdir()
    (here / "taken" / "notes.txt").write_text("mine")
    (here / "file").write_text("this is no picture, no store, no run and no weights")
    (here / "hollow").mkdir()
    shutil.copytree(tiny_store, here / "store")
    shutil.copytree(tiny_run, here / "run")
    facts = json.loads((here / "run/store.json").read_text())
    (here / "run/store.json").write_text(json.dumps(facts | {"path": str(here / "store")}))
    shutil.copytree(photos, here / "photos")
    return here


def contents(folder):
    """Everything below a folder but the empty files of locks."""
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".lock")
    }


@pytest.mark.parametrize("line", LINES)
def test_a_wrong_argument_is_one_line_and_writes_nothing(made, capsys, monkeypatch, line):
    monkeypatch.chdir(made)
    monkeypatch.delenv("ALEXNET_DATA", raising=False)
    before = contents(made)
    code = main(words_of(line))
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert len(err) <= 300, "longer than one can read"
    assert "Traceback" not in err
    assert "unforeseen" not in err
    assert contents(made) == before


@pytest.mark.parametrize("line", OUTSIDE)
def test_a_process_of_its_own_leaves_with_2(made, alexnet, line):
    before = contents(made)
    done = alexnet(*words_of(line), cwd=made)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert contents(made) == before


@pytest.mark.parametrize("word", ["store\0x", "\udcff", "x" * 5000, "store\nx"])
def test_a_name_that_no_file_can_have_is_one_line_too(made, capsys, monkeypatch, word):
    monkeypatch.chdir(made)
    for line in (["train", word], ["resume", word], ["verify", word], ["data", word], ["evaluate", word]):
        assert main(line) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "unforeseen" not in err


def test_every_verb_and_kind_has_wrong_arguments_here():
    assert len(LINES) >= 60

    def names(one):
        for action in one._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, below in action.choices.items():
                    yield name
                    yield from names(below)

    used = {word for line in LINES for word in line.split()[:2]}
    assert set(names(parser())) <= used
