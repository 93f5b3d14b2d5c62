"""Tests of alexnet.report."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from alexnet.errors import DataError, UsageError
from alexnet.report import COLOURS, STYLE, draw, draw_confusion, draw_curves, draw_updates, read_log


def line(epoch, **changes):
    entry = {"epoch": epoch, "images_seen": 64 * epoch, "lr": 0.01, "train_loss": 2 / epoch, "train_top1": 0.5}
    entry |= {"val_loss": 2.5 / epoch, "val_top1": 0.4, "val_top5": None, "images_per_second": 9.0, "seconds": 1.0}
    return json.dumps(entry | changes) + "\n"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "log.jsonl").write_text(line(1) + line(2, lr=0.001) + line(3, lr=0.001))
    return folder


def test_log_is_read_by_columns(run):
    log = read_log(run)
    assert log.name == "first"
    assert log["epoch"].tolist() == [1, 2, 3]
    assert log["lr"].tolist() == [0.01, 0.001, 0.001]
    assert log["val_loss"].tolist() == [2.5, 1.25, 2.5 / 3]


def test_an_unfinished_last_line_is_left_out(run):
    with (run / "log.jsonl").open("a") as stream:
        stream.write(line(4)[:30])
    assert read_log(run)["epoch"].tolist() == [1, 2, 3]


def test_an_epoch_that_was_repeated_after_a_resume_counts_once(run):
    with (run / "log.jsonl").open("a") as stream:
        stream.write(line(3, train_loss=0.25))
    log = read_log(run)
    assert log["epoch"].tolist() == [1, 2, 3]
    assert log["train_loss"][-1] == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no log.jsonl in .*: give the folder of a run"),
        ("", "no finished epoch"),
        ("{\n" + line(1), "log.jsonl is damaged"),
        ("3\n", "log.jsonl is damaged"),
        ('{"lr": 1}\n', "log.jsonl is damaged"),
        ("[]\n", "log.jsonl is damaged"),
        (line(1, lr="fast"), "log.jsonl is damaged"),
    ],
)
def test_a_log_that_cannot_be_drawn_is_one_clear_error(tmp_path, text, message):
    if text is not None:
        (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        draw_curves([tmp_path], tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def test_curves_of_several_runs_are_one_picture(run, tmp_path):
    other = tmp_path / "second"
    other.mkdir()
    (other / "log.jsonl").write_text(line(1, val_loss=None, val_top1=None))
    draw_curves([run, other], tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1600, 780)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours  # a colour for each


@pytest.mark.parametrize("changes", [{"val_loss": None, "val_top1": None}, {"lr": 0.0}, {"train_loss": None}])
def test_a_single_epoch_with_gaps_can_be_drawn(tmp_path, changes):
    (tmp_path / "log.jsonl").write_text(line(1, **changes))
    draw_curves([tmp_path], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_drawing_leaves_matplotlibs_settings_alone(run, tmp_path):
    import matplotlib as mpl

    before = {name: mpl.rcParams[name] for name in STYLE}
    draw_curves([run], tmp_path / "curves.png")
    assert {name: mpl.rcParams[name] for name in STYLE} == before
    assert "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_the_filters_are_drawn_and_the_extra_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    kernels = np.zeros((4, 3, 5, 5), np.float32)
    with pytest.raises(UsageError, match=r"curves.png needs matplotlib: pip install 'alexnet\[plot\]'"):
        draw(run, kernels, 1)
    assert (run / "filters.png").is_file()


def test_a_runs_pictures_lie_in_its_folder(run):
    paths = draw(run, np.ones((4, 3, 5, 5), np.float32), 2)
    assert [path.name for path in paths] == ["curves.png", "filters.png"]
    assert all(path.is_file() and path.parent == run for path in paths)


def drawn(path):
    """Read a picture's colours in the middle of the cells; the corners of the matrix are found by its frame."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("count", [1, 2, 25, 26, 120])
def test_a_confusion_matrix_is_drawn_whatever_the_number_of_classes(tmp_path, count):
    confusion = np.diag(np.arange(count) + 1)
    draw_confusion(confusion, [f"a $long name_{number}$ that goes on" for number in range(count)], tmp_path / "it.png")
    picture = drawn(tmp_path / "it.png")
    assert 400 < picture.shape[0] <= picture.shape[1] <= 2400
    dark, white = picture.max(2) < 0x40, picture.min(2) == 255
    assert dark.any()
    assert white.mean() > 0.3


def test_the_shade_is_the_share_of_the_true_class_by_rows(tmp_path):
    confusion = np.array([[0, 3], [0, 1000]])  # both classes always taken for the second
    draw_confusion(confusion, ["cats", "dogs"], tmp_path / "it.png")
    columns = (drawn(tmp_path / "it.png").max(2) < 0x50).sum(0) > 200  # of the darkest shade
    inside = np.flatnonzero(columns)
    assert len(inside) > 100  # one dark column of cells, besides the scale
    draw_confusion(np.array([[3, 0], [1000, 0]]), ["cats", "dogs"], tmp_path / "other.png")
    other = np.flatnonzero((drawn(tmp_path / "other.png").max(2) < 0x50).sum(0) > 200)
    assert other[0] < inside[0]


def test_classes_without_pictures_are_drawn_white(tmp_path):
    draw_confusion(np.zeros((30, 30), np.int64), [str(number) for number in range(30)], tmp_path / "it.png")
    picture = drawn(tmp_path / "it.png")
    height, width, _ = picture.shape
    assert (picture[height // 3 : height // 2, width // 3 : width // 2] == 255).all()


def test_drawing_a_confusion_matrix_without_matplotlib_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"it.png needs matplotlib: pip install 'alexnet\[plot\]'"):
        draw_confusion(np.eye(2, dtype=np.int64), ["cats", "dogs"], tmp_path / "it.png")


def first_updates(folder, losses):
    folder.mkdir()
    rows = [{"update": 10 * number, "loss": loss} for number, loss in enumerate(losses, start=1)]
    (folder / "updates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_first_updates_are_drawn_near_the_level_in_their_own_colours(tmp_path):
    falls = first_updates(tmp_path / "falls", [2.3, 2.0, 1.7])
    stays = first_updates(tmp_path / "stays", [15.0, 2.3, 2.3])
    draw_updates([falls, stays], tmp_path / "it.png", 2.3, "ln(10)")
    picture = drawn(tmp_path / "it.png").astype(int)
    assert picture.shape[1] == 1600
    below = picture[250:]  # under the legend
    for colour in COLOURS[:2]:
        near = np.abs(below - [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).sum(2) < 30
        assert near.sum() > 300
    # Losses of 15 do not flatten the rest: the falling curve spans much of the picture's height.
    blue = np.flatnonzero((np.abs(below - [0x00, 0x72, 0xB2]).sum(2) < 30).any(1))
    assert np.ptp(blue) > 150


def test_first_updates_without_matplotlib_name_the_extra(monkeypatch, tmp_path):
    run = first_updates(tmp_path / "run", [2.3])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"it.png needs matplotlib: pip install 'alexnet\[plot\]'"):
        draw_updates([run], tmp_path / "it.png", 2.3, "ln(10)")
