"""The stages of pictures, and a batch: what is in the cells, what is written below."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from alexnet.data import stages
from alexnet.data.chance import Chance, order
from alexnet.data.contact import CELL_PX, NAMED_PX
from alexnet.data.decode import decode_file, fit
from alexnet.data.feed import Feed
from alexnet.data.stages import BAND_PX, HEAD_PX, UNDER_PX, draw_batch, draw_stages, rows_of_files
from alexnet.data.store import Store
from alexnet.errors import DataError
from alexnet.recipe import Recipe

STILL = Recipe(crop="centre", mirror=0.0, colour_noise=0.0, batch_size=5, seed=2)


@pytest.fixture
def feed(photo_store, tiny_network):
    return Feed(Store(photo_store), replace(tiny_network, dead_start_allowed=True), STILL, "still")


@pytest.fixture
def wide(tmp_path):
    """A photograph of 90 × 40 pixels, to be turned by its orientation: 40 × 90."""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(5).integers(0, 256, (40, 90, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    return tmp_path / "turned.png", np.rot90(pixels, 3)


def names(row):
    return [name for name, _, _ in row.stages]


def test_a_photograph_passes_all_stages_with_their_sizes(feed, wide):
    path, upright = wide
    (row,) = rows_of_files(feed, [path])
    assert row.name == "turned.png"
    assert names(row) == [
        *("as it is", "resized", "centre crop", "colour noise"),
        *("in training", "in training", "in testing"),
    ]
    pictures = [picture for _, _, picture in row.stages]
    assert [picture.shape[:2] for picture in pictures] == [(90, 40), (72, 32), (32, 32), (32, 32), *[(24, 24)] * 3]
    assert np.array_equal(pictures[0], upright)
    assert np.array_equal(pictures[2], fit(decode_file(path), 32))
    assert np.array_equal(pictures[1][20:52], pictures[2])
    shift = np.array(feed.shifts(Chance(2, 0, np.array([0])))[0])
    assert np.abs(pictures[3] - (pictures[2] + shift).clip(0, 255)).max() < 0.51
    for picture in pictures[4:]:
        assert np.array_equal(picture, pictures[2][4:28, 4:28])
    assert row.stages[3][1].replace("−", "-") == " ".join(f"{value:+.0f}" for value in shift)


def test_the_table_shows_each_stage_as_large_as_its_cell(feed, wide, tmp_path, words, shows):
    path, upright = wide
    sheet = tmp_path / "stages.png"
    assert draw_stages(feed, sheet, [path, path], "train") == "photographs and their stages: 2"
    cell = (1080 - 2 * 24 - 6 * 6) // 7
    top = HEAD_PX + BAND_PX + cell + UNDER_PX  # of the second row
    width = round(cell * 40 / 90)
    assert shows(sheet, 24, top + BAND_PX, upright, width, cell)
    assert shows(sheet, 24 + 2 * (cell + 6), top + BAND_PX, fit(np.ascontiguousarray(upright), 32), cell)
    below = [word.text for word in words if word.top == top + BAND_PX + cell + 22]
    assert below == ["40×90", "32×72", "32×32", "32×32", "24×24", "24×24", "24×24"]
    about = [word.text for word in words if word.top == top + BAND_PX + cell + 44]
    assert about[:3] + about[4:] == ["", "short side 32", "as stored", "epoch 1", "epoch 2", "centre"]
    told = [word.text for word in words]
    assert told.count("turned.png") == 2
    assert any(text.startswith("Colour noise: recipe still has none, this is the paper's, 0.1 (§4.1)") for text in told)


def test_the_views_are_those_of_the_first_two_epochs(feed, wide):
    random = replace(feed, recipe=Recipe(colour_noise=0.0, seed=1))
    (row,) = rows_of_files(random, [wide[0]])
    stored = row.stages[2][2][None]
    for stage, epoch in ((4, 0), (5, 1)):
        expected = random.in_training(stored, Chance(1, epoch, np.array([0])))[0]
        assert np.array_equal(row.stages[stage][2], expected)
    assert not np.array_equal(row.stages[4][2], row.stages[5][2])


def test_without_photographs_the_stores_own_are_shown_from_where_they_are(feed, tmp_path, words, shows):
    path = tmp_path / "stages.png"
    assert draw_stages(feed, path, [], "test") == "the stages of some pictures of test"
    cell = (1080 - 2 * 24 - 4 * 6) // 5
    split = feed.store.splits["test"]
    assert shows(path, 24, HEAD_PX + BAND_PX, split.pictures(np.array([0]))[0], cell)
    left = 24 + 4 * (cell + 6)
    assert shows(path, left, HEAD_PX + BAND_PX, split.pictures(np.array([0]))[0][4:28, 4:28], cell)
    told = [word.text for word in words]
    assert {"as stored", "cats", "dogs", "emus"} <= set(told)
    assert "as it is" not in told
    assert any("resized and cut when it was prepared; give photographs" in text for text in told)


def test_the_noise_of_the_recipe_is_named(feed, wide, tmp_path, words):
    noisy = replace(feed, recipe=STILL.with_changes(colour_noise=0.25))
    draw_stages(noisy, tmp_path / "stages.png", [wide[0]], "train")
    assert any(word.text.startswith("Colour noise: 0.25 (§4.1); below it") for word in words)


def test_noise_for_some_of_the_pictures_is_told_apart(feed, wide, tmp_path, words):
    recipe = STILL.with_changes(colour_noise=0.25, colour_probability=0.5)
    path, files = tmp_path / "stages.png", [wide[0]] * 8
    draw_stages(replace(feed, recipe=recipe), path, files, "train")
    told = [word.text for word in words]
    assert any(text.startswith("Colour noise: 0.25 (§4.1) on 50% of the pictures; below it") for text in told)
    shifted = Chance(2, 0, np.arange(8)).whether("colour or not", 0.5)
    assert 0 < told.count("no shift") == 8 - shifted.sum() < 8


def test_a_photograph_that_cannot_be_read_is_named(feed, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"bad\.jpg: empty file"):
        draw_stages(feed, tmp_path / "stages.png", [tmp_path / "bad.jpg"], "train")
    assert not (tmp_path / "stages.png").exists()


def test_the_batch_is_the_first_of_training_with_its_labels(feed, tmp_path, words, shows):
    path = tmp_path / "batch.png"
    assert draw_batch(feed, path) == "the first batch: 5 pictures"
    split, places = feed.store.splits["train"], order(18, 2, 0)[:5]
    for cell, place in enumerate(places):
        left = 24 + cell * (CELL_PX + 6)
        assert shows(path, left, 134, split.pictures(np.array([place]))[0][4:28, 4:28], CELL_PX)
        label = [w.text for w in words if w.left == left and w.top > 134]
        assert label == [feed.store.classes[split.labels[place]]]


def test_a_large_batch_is_shown_in_part_and_as_in_the_whole(feed, tmp_path, monkeypatch, shows):
    monkeypatch.setattr(stages, "BATCH", 7)
    large = replace(feed, recipe=Recipe(batch_size=18, shared_crop=3, colour_noise=0.0))
    path = tmp_path / "batch.png"
    assert draw_batch(large, path) == "the first batch: 7 of its 18 pictures"
    places = order(18, 0, 0)
    images = large.store.splits["train"].pictures(places)
    whole = large.in_training(images, Chance(0, 0, places))
    assert shows(path, 24, 134 + NAMED_PX, whole[6], CELL_PX)
    assert shows(path, 24 + CELL_PX + 6, 134, whole[1], CELL_PX)


def test_the_same_seed_gives_the_same_bytes(feed, wide, tmp_path):
    for name in ("one", "two"):
        draw_batch(feed, tmp_path / f"{name}-batch.png")
        draw_stages(feed, tmp_path / f"{name}-stages.png", [wide[0]], "train")
    for what in ("batch", "stages"):
        assert (tmp_path / f"one-{what}.png").read_bytes() == (tmp_path / f"two-{what}.png").read_bytes()
