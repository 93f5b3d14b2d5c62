"""A trained network is made of its checkpoint, or the checkpoint is refused."""

import pytest
import torch

from alexnet.catalogue import SINGLE
from alexnet.errors import DataError
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.trained import Trained


def test_averaged_weights_are_preferred(tiny_run):
    checkpoint = Checkpoint.read(tiny_run / "best.safetensors")
    halves = {f"average.{name}": tensor / 2 for name, tensor in checkpoint.part("network").items()}
    both = Checkpoint({**checkpoint.tensors, **halves}, checkpoint.facts)
    network = Trained.of(both, torch.device("cpu")).network
    assert torch.equal(network.get_parameter("fc8.weight"), halves["average.fc8.weight"])


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.facts.pop("architecture"),
        lambda c: c.facts.pop("recipe"),
        lambda c: c.facts["recipe"].update(no_such_field=1),
        lambda c: c.facts["architecture"]["layers"][0].update(kernel=99),
        lambda c: c.facts["architecture"].update(layers=None),
        lambda c: c.tensors.pop("statistics.mean"),
        lambda c: c.facts.update(architecture=SINGLE.to_json()),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(tiny_run, change):
    checkpoint = Checkpoint.read(tiny_run / "best.safetensors")
    change(checkpoint)
    with pytest.raises(DataError) as caught:
        Trained.of(checkpoint, torch.device("cpu"))
    assert "\n" not in str(caught.value)
