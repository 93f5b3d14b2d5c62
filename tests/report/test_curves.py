"""Tests of alexnet.report.curves."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from alexnet.errors import UsageError
from alexnet.report.curves import draw, draw_curves, draw_updates
from alexnet.report.figures import COLOURS, STYLE

from .conftest import line


def test_curves_of_several_runs_are_one_picture(logged, tmp_path):
    other = tmp_path / "second"
    other.mkdir()
    (other / "log.jsonl").write_text(line(1, val_loss=None, val_top1=None))
    draw_curves([logged, other], tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1600, 780)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours  # a colour for each


@pytest.mark.parametrize("changes", [{"val_loss": None, "val_top1": None}, {"lr": 0.0}, {"train_loss": None}])
def test_a_single_epoch_with_gaps_can_be_drawn(tmp_path, changes):
    (tmp_path / "log.jsonl").write_text(line(1, **changes))
    draw_curves([tmp_path], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_losses_that_ran_away_do_not_flatten_the_others(tmp_path):
    pictures = []
    for first in (2.0, 30_000.0):
        rows = [line(1, train_loss=first), *(line(epoch, train_loss=2.0, val_loss=2.0) for epoch in range(2, 9))]
        (tmp_path / "log.jsonl").write_text("".join(rows))
        draw_curves([tmp_path], tmp_path / "it.png")
        with Image.open(tmp_path / "it.png") as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int)[:, :800])
    # Where the loss of 2 is drawn: as high up as without the first epoch, not on the floor.
    heights = [np.flatnonzero((abs(one - (0x00, 0x72, 0xB2)).sum(2) < 8).sum(1) > 150).min() for one in pictures]
    assert abs(heights[0] - heights[1]) < 60


def test_names_of_any_length_stay_on_the_picture(tmp_path):
    for name in ("a-name-that-is-far-longer-than-most-of-them-are", "another-long-one-with-$y^$-in-it", "short"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.jsonl").write_text(line(1) + line(2))
    draw_curves(sorted(tmp_path.iterdir()), tmp_path / "it.png")
    with Image.open(tmp_path / "it.png") as picture:
        above = np.asarray(picture.convert("L"))[:100]
    assert (above[:, -8:] == 255).all()
    assert (above[:, 900:] < 128).any()


def test_drawing_leaves_matplotlibs_settings_alone(logged, tmp_path):
    import matplotlib as mpl

    before = {name: mpl.rcParams[name] for name in STYLE}
    draw_curves([logged], tmp_path / "curves.png")
    assert {name: mpl.rcParams[name] for name in STYLE} == before
    assert "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_the_filters_are_drawn_and_the_extra_is_named(logged, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    kernels = np.zeros((4, 3, 5, 5), np.float32)
    with pytest.raises(UsageError, match=r"curves.png needs matplotlib: pip install 'alexnet\[plot\]'"):
        draw(logged, kernels, 1)
    assert (logged / "filters.png").is_file()


def test_a_runs_pictures_lie_in_its_folder(logged):
    paths = draw(logged, np.ones((4, 3, 5, 5), np.float32), 2)
    assert [path.name for path in paths] == ["curves.png", "filters.png"]
    assert all(path.is_file() and path.parent == logged for path in paths)


def drawn(path):
    """Read a picture's colours in the middle of the cells; the corners of the matrix are found by its frame."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


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
