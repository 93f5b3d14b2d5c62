"""Tests of alexnet.web.gallery."""

import json
import shutil

import numpy as np
import pytest

from alexnet.neighbors import Gallery
from alexnet.prediction import load
from alexnet.runs.run import Run
from alexnet.web import gallery
from alexnet.web.gallery import neighbors_of


@pytest.fixture
def run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("features"))


def test_a_training_picture_is_its_own_nearest_one(run, capsys):
    train = Run(run).store().splits["train"]
    nearest = neighbors_of(run, load(run))
    for place in (0, 7):
        (picture,) = train.pictures(np.array([place]))
        found = nearest(picture)
        assert len(found) == 6
        assert found[0].distance == pytest.approx(0, abs=0.1)
        assert [one.distance for one in found] == sorted(one.distance for one in found)
        labels = dict(zip(train.names, train.labels, strict=True))
        for one in found:
            (as_stored,) = train.pictures(np.array([train.names.index(one.name)]))
            np.testing.assert_array_equal(one.picture, as_stored)
            assert one.label == Run(run).store().classes[labels[one.name]]
        np.testing.assert_array_equal(found[0].picture, picture)
    assert capsys.readouterr().err == ""


def test_many_training_pictures_are_not_read_at_the_start(run, monkeypatch, capsys):
    monkeypatch.setattr(gallery, "READ_AT_START", 47)
    assert neighbors_of(run, load(run)) is None
    note = f"note: no nearest training pictures: `alexnet neighbors {run}` reads all 48 once; serve it again then\n"
    assert capsys.readouterr().err == note
    assert not (run / "features").exists()
    _ = Gallery.of(load(run).trained, Run(run).store(), run / "features").features
    assert neighbors_of(run, load(run)) is not None


def test_without_training_pictures_the_page_goes_on(run, capsys):
    model = load(run)
    assert neighbors_of(run / "best.safetensors", model) is None
    assert "is no run" in capsys.readouterr().err
    (run / "store.json").write_text(json.dumps({"path": str(run / "gone"), "digest": ""}))
    assert neighbors_of(run, model) is None
    assert "which is gone" in capsys.readouterr().err


def test_without_a_place_for_vectors_the_page_goes_on(run, capsys):
    (run / "features").write_text("in the way")
    assert neighbors_of(run, load(run)) is None
    assert capsys.readouterr().err.startswith("note: no nearest training pictures: ")
