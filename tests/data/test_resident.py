"""A resident split gives the pictures of its store, reading each once; here on the CPU, where it works alike."""

import numpy as np
import pytest
import torch

from alexnet.data.resident import Resident, on_host
from alexnet.data.store import Store
from alexnet.errors import DataError

CPU = torch.device("cpu")


@pytest.fixture
def split(tiny_store):
    return Store(tiny_store).splits["train"]


@pytest.fixture
def read(split, monkeypatch):
    """The places that were read from the store, call by call."""
    places = []
    pictures = type(split).pictures

    def remember(self, indices, out=None):
        places.append(indices.tolist())
        return pictures(self, indices, out)

    monkeypatch.setattr(type(split), "pictures", remember)
    return places


def test_pictures_and_labels_come_in_the_order_asked_for(split):
    resident = Resident(split, CPU)
    for indices in (np.array([5, 3, 5]), np.arange(len(split))[::-1].copy(), np.array([], np.int64)):
        pictures, labels = resident.gather(indices)
        assert np.array_equal(pictures.numpy(), split.pictures(indices))
        assert np.array_equal(labels.numpy(), split.labels[indices])


def test_each_picture_is_read_once(split, read):
    resident = Resident(split, CPU)
    assert read == []
    for indices in ([4, 2, 4], [2, 7], [7, 4, 2]):
        resident.gather(np.array(indices))
    assert read == [[2, 4], [7]]


def test_what_it_gives_may_be_changed(split):
    resident = Resident(split, CPU)
    resident.gather(np.arange(2))[0].zero_()
    assert resident.gather(np.arange(2))[0].any()


def test_a_picture_that_could_not_be_read_is_read_again(split, monkeypatch):
    def torn(self, indices, out=None):
        raise DataError("torn")

    resident = Resident(split, CPU)
    with monkeypatch.context() as patch:
        patch.setattr(type(split), "pictures", torn)
        with pytest.raises(DataError):
            resident.gather(np.array([1]))
    assert np.array_equal(resident.gather(np.array([1]))[0].numpy(), split.pictures(np.array([1])))


@pytest.mark.parametrize("place", [-100, -1, 1000])
def test_a_place_that_is_not_there_is_refused(split, place):
    resident = Resident(split, CPU)
    resident.gather(np.arange(len(split)))
    with pytest.raises(IndexError):
        resident.gather(np.array([place]))


def test_it_is_kept_where_there_is_room(split, monkeypatch):
    taken = []
    monkeypatch.setattr(Resident, "__init__", lambda self, split, device: taken.append(device))
    size, gpu = len(split) * 32 * 32 * 3, torch.device("cuda")
    for free, fits in ((2 * size, True), (2 * size - 1, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 10 * size))
        assert (Resident.where_it_fits(split, gpu) is not None) == fits
    assert taken == [gpu]
    assert Resident.where_it_fits(split, CPU) is None


def test_reading_to_the_host_gives_the_stores_pictures(split):
    pictures, labels = on_host(split, np.array([3, 1]), CPU)
    assert np.array_equal(pictures.numpy(), split.pictures(np.array([3, 1])))
    assert np.array_equal(labels.numpy(), split.labels[[3, 1]])
