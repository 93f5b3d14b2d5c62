"""Tests of alexnet.growth."""

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.errors import DataError, UsageError
from alexnet.growth import CELL_PX, HEAD_PX, LEFT_PX, draw_growth, keep, kept
from alexnet.runs.run import Run


def with_conv1(value):
    network = torch.nn.Module()
    network.conv1 = torch.nn.Conv2d(3, 4, 5)
    torch.nn.init.constant_(network.conv1.weight, value)
    return network


def test_a_training_keeps_its_start_and_every_epoch(tiny_run):
    found = kept(tiny_run)
    assert [epoch for epoch, _ in found] == [0, 1, 2]
    last = Run(tiny_run).newest().weights["conv1.weight"].numpy()
    np.testing.assert_allclose(found[-1][1], last, rtol=1e-3, atol=1e-6)
    assert np.abs(found[0][1] - found[2][1]).max() > 1e-3


def test_epochs_are_read_in_their_order(tmp_path):
    for epoch in (10, 9, 0):
        keep(tmp_path, epoch, with_conv1(epoch / 8))
    assert [(epoch, kernels.max()) for epoch, kernels in kept(tmp_path)] == [(0, 0), (9, 1.125), (10, 1.25)]


def test_a_network_without_colours_keeps_nothing_and_stops_nothing(tmp_path):
    keep(tmp_path, 1, torch.nn.Module())
    with pytest.raises(UsageError, match="has kept no kernels of its epochs"):
        kept(tmp_path)


def test_a_full_disk_stops_nothing(tmp_path):
    (tmp_path / "growth").write_text("in the way")
    keep(tmp_path, 1, with_conv1(1))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY nonsense"])
def test_a_damaged_file_is_named(tmp_path, content):
    keep(tmp_path, 1, with_conv1(1))
    (tmp_path / "growth" / "2.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"2.npy cannot be read"):
        kept(tmp_path)


def test_epochs_stand_below_each_other(tmp_path):
    red = np.zeros((20, 3, 5, 5), np.float32)
    red[:, 0] = 1
    draw_growth(tmp_path / "it.png", "title", [(0, np.zeros_like(red)), (7, red)])
    with Image.open(tmp_path / "it.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    middle = LEFT_PX + CELL_PX // 2
    assert pixels[HEAD_PX + CELL_PX // 2, middle].tolist() == [128, 128, 128]
    assert pixels[HEAD_PX + CELL_PX + 6 + CELL_PX // 2, middle].tolist() == [255, 128, 128]
