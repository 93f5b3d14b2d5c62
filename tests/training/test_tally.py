"""Tests of alexnet.training.tally."""

import torch

from alexnet.training.tally import Tally


def test_a_tally_is_the_mean_over_pictures_not_batches():
    tally = Tally.zero(torch.device("cpu"))
    assert tally.figures() == (0.0, 0.0)
    scores = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0]])
    tally.add(torch.tensor(0.5), scores, torch.tensor([0, 1, 1]))
    tally.add(torch.tensor(4.5), scores[:1], torch.tensor([1]))
    assert tally.figures() == ((3 * 0.5 + 4.5) / 4, 2 / 4)
    assert tally.images == 4
