"""Tests of alexnet.data.shards: a source that is not what it said is refused; bad pictures keep shards in place."""

import numpy as np
import pytest

from alexnet.data import plan, preparation, shards
from alexnet.data.preparation import prepare, prepare_part
from alexnet.data.sources import Example
from alexnet.errors import DataError, Interrupted


class Made:
    """Ten training pictures of two classes, two test pictures; some of them are unreadable, or missing."""

    classes = ("a", "b")
    default_side = 4

    def __init__(self, path=None, *, bad: tuple = (), gone: tuple = ()) -> None:
        self.classes, self.bad, self.gone = ["a", "b"], bad, gone
        self.splits = {"train": 10, "test": 2}
        self.fingerprint, self.skipped = {}, []

    def examples(self):
        for number in range(12):
            picture = b"" if number in self.bad else np.full((4, 4, 3), 9 * number, np.uint8)
            if number not in self.gone:
                yield Example(picture, number % 2, "train" if number < 10 else "test", str(number))


@pytest.fixture(autouse=True)
def made(monkeypatch):
    monkeypatch.setitem(preparation.SOURCES, "made", Made)
    monkeypatch.setattr(plan, "SHARD_BYTES", 4 * 4 * 4 * 3)


def test_bad_pictures_shorten_their_shard_alone(tmp_path):
    store = prepare("made", None, tmp_path / "store", bad=(0, 2, 4, 5, 6, 7))
    train = store.splits["train"]
    assert [shard["images"] for shard in store.manifest["splits"]["train"]["shards"]] == [2, 0, 2]
    assert list(train.names) == ["1", "3", "8", "9"]
    assert train.pictures(np.array([3, 0, 2, 1]))[:, 0, 0, 0].tolist() == [81, 9, 72, 27]
    assert store.verify() == []


@pytest.mark.parametrize(("gone", "message"), [((3,), "fewer train pictures"), ((10, 11), "no test pictures any more")])
def test_a_source_that_gives_less_than_it_said_is_refused(tmp_path, gone, message):
    with pytest.raises(DataError, match=message):
        prepare("made", None, tmp_path / "store", gone=gone)
    assert [file.name for file in tmp_path.iterdir()] == [".store.lock"]


def test_strict_refuses_what_an_interrupted_preparation_passed_over(tmp_path):
    def stop(done, total):
        if done > 6:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        prepare("made", None, tmp_path / "store", bad=(2,), progress=stop)
    with pytest.raises(DataError, match="2: empty file"):
        prepare("made", None, tmp_path / "store", bad=(2,), strict=True)


def test_a_part_reads_only_its_own_pictures(tmp_path, monkeypatch):
    fitted, fit = [], shards.fit
    monkeypatch.setattr(shards, "fit", lambda image, side: fitted.append(image[0, 0, 0] // 9) or fit(image, side))
    prepare_part("made", None, tmp_path / "part", (2, 3), workers=1)
    assert fitted == [4, 5, 6, 7]
