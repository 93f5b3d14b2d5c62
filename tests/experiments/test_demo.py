"""Tests of alexnet.experiments.demo."""

import pytest

from alexnet.data.preparation import prepare
from alexnet.errors import UsageError
from alexnet.evaluation import Evaluation
from alexnet.experiments import demo as module
from alexnet.experiments.demo import RECIPE, demo


@pytest.fixture
def small(monkeypatch):
    """Let the demo be small."""

    def drawn(kind, source, path, **options):
        return prepare(kind, source, path, side=32, count=64, **options)

    monkeypatch.setattr(module, "prepare", drawn)
    monkeypatch.setattr(module, "NETWORK", module.vary(module.CIFAR_18PCT, "side=24"))
    monkeypatch.setattr(module, "RECIPE", RECIPE.with_changes(epochs=1, batch_size=16))


def test_the_demo_trains_on_drawn_pictures_and_measures_others(small, tmp_path, capsys):
    run, result = demo(tmp_path / "out")
    assert run.path == tmp_path / "out" / "run"
    assert isinstance(result, Evaluation)
    assert result.images == 8
    assert "48 drawn pictures of disc, ring, square" in capsys.readouterr().err


def test_an_earlier_demo_is_replaced_also_one_that_was_killed(small, tmp_path):
    first, _ = demo(tmp_path)
    before = first.latest().stat().st_mtime_ns
    (tmp_path / ".store.tmp-123").mkdir()
    second, _ = demo(tmp_path)
    assert second.latest().stat().st_mtime_ns > before
    assert sorted(path.name for path in tmp_path.iterdir()) == [".store.lock", "run", "store"]


@pytest.mark.parametrize("place", ["notes.txt", "run/notes.txt"])
def test_what_no_demo_made_is_left_alone(small, tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("mine")
    with pytest.raises(UsageError, match=r"holds other things than a demo's: give --out a new folder"):
        demo(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / place]


def test_a_file_is_no_place_for_a_demo(small, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"give --out a new folder"):
        demo(tmp_path / "file")
