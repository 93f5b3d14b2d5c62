"""Gradients by a graph are those without one; where there is no GPU, a replay does the recorded work again."""

import copy
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F

from alexnet.nn.network import Network, arithmetic, initialise
from alexnet.optim import make_optimizer, set_rate
from alexnet.recipe import Recipe
from alexnet.training import gradients
from alexnet.training.gradients import Gradients, graph_helps, record

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
RECIPE = Recipe(batch_size=4, precision="float32", label_smoothing=0.1, lr=0.02)


@pytest.fixture
def network(tiny_network):
    return initialise(Network(tiny_network)).to(DEVICE)


@pytest.fixture
def recordings(monkeypatch, network):
    """How often was recorded. Without a GPU a replay computes anew, and writes where a graph would."""
    count = []
    parameters = list(network.parameters())

    def stand_in(work, device):
        results = work()
        held = [parameter.grad for parameter in parameters]

        def replay():
            for old, new in zip(results, work(), strict=True):
                old.copy_(new)
            for gradient, parameter in zip(held, parameters, strict=True):
                if gradient is not None:
                    gradient.copy_(parameter.grad)

        return replay, results

    recorder = record if GPU else stand_in
    monkeypatch.setattr(gradients, "record", lambda *args: count.append(1) or recorder(*args))
    return count


def batch(number, n=4):
    chance = torch.Generator().manual_seed(number)
    pictures = torch.randn(n, 3, 24, 24, generator=chance).to(DEVICE)
    return pictures, torch.randint(10, (n,), generator=chance).to(DEVICE)


def plainly(network, recipe, pictures, labels):
    """What the loop of §5 does, written out."""
    network.zero_grad()
    with arithmetic(DEVICE, recipe.precision):
        scores = network(pictures)
    loss = F.cross_entropy(scores.float(), labels, label_smoothing=recipe.label_smoothing)
    loss.backward()
    return loss, scores


def gradients_of(network):
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def same(network, other, results, wanted):
    """Compare results and gradients."""
    assert torch.equal(results[0], wanted[0])
    assert torch.equal(results[1], wanted[1])
    ours, theirs = gradients_of(network), gradients_of(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("graph", [False, True])
def test_loss_scores_and_gradients_are_those_of_the_plain_way(network, recordings, graph, precision):
    recipe, other = RECIPE.with_changes(precision=precision), copy.deepcopy(network)
    compute = Gradients(network.eval(), recipe, graph)
    for number in range(3):
        results = compute(*batch(number))
        same(network, other, results, plainly(other.eval(), recipe, *batch(number)))
        assert not results[0].requires_grad
    assert recordings == [1] * graph


def test_results_are_not_overwritten_by_the_next_batch(network, recordings):
    compute = Gradients(network.eval(), RECIPE, graph=True)
    loss, scores = compute(*batch(0))
    before = loss.clone(), scores.clone()
    compute(*batch(1))
    assert torch.equal(loss, before[0])
    assert torch.equal(scores, before[1])


def test_training_by_a_graph_is_training_without_one(network, recordings):
    other = copy.deepcopy(network)
    for net, graph in ((network, True), (other, False)):
        optimizer, compute = make_optimizer(RECIPE, net), Gradients(net.eval(), RECIPE, graph)
        for number in range(6):
            compute(*batch(number, 2 if number == 3 else 4))
            set_rate(optimizer, 0.02 / (number + 1))
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    assert recordings == [1]
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


def test_a_short_last_batch_is_computed_without_the_graph(network, recordings):
    other, compute = copy.deepcopy(network), Gradients(network.eval(), RECIPE, graph=True)
    same(network, other, compute(*batch(0, 3)), plainly(other.eval(), RECIPE, *batch(0, 3)))
    assert recordings == []


def test_what_changes_the_work_is_recorded_anew(network, recordings):
    other, compute = copy.deepcopy(network), Gradients(network.eval(), RECIPE, graph=True)
    compute(*batch(0))
    for net in (network, other):
        net.conv1.requires_grad_(False)
    same(network, other, compute(*batch(1)), plainly(other.eval(), RECIPE, *batch(1)))
    assert network.conv1.weight.grad is None
    assert recordings == [1, 1]
    for net in (network, other):
        net.fc8.weight.data = net.fc8.weight.data * 2
    same(network, other, compute(*batch(2)), plainly(other.eval(), RECIPE, *batch(2)))
    network.train()
    compute(*batch(3))
    assert recordings == [1] * 4


def test_gradients_of_before_are_not_added_to(network):
    compute = Gradients(network.eval(), RECIPE, graph=False)
    compute(*batch(0))
    once = gradients_of(network)
    compute(*batch(0))
    assert all(torch.equal(once[name], gradient) for name, gradient in gradients_of(network).items())


def test_graphs_are_for_small_batches_on_a_gpu():
    assert graph_helps(torch.device("cuda"), 128)
    assert not graph_helps(torch.device("cuda"), 1024)
    assert not graph_helps(torch.device("cpu"), 128)


@pytest.mark.skipif(not GPU, reason="a graph is recorded on a GPU")
def test_a_graph_draws_new_random_numbers_each_time(network):
    compute = Gradients(network.train(), RECIPE, graph=True)
    torch.manual_seed(5)
    first = [compute(*batch(0))[1] for _ in range(2)]
    assert not torch.equal(*first)
    torch.manual_seed(5)
    assert torch.equal(compute(*batch(0))[1], first[0])


def test_recording_warms_up_beside_and_leaves_random_numbers_alone(monkeypatch):
    notes = []

    class Fake:
        """Streams and graphs that only note what is asked of them."""

        def __init__(self, name="graph"):
            self.name = name

        def wait_stream(self, other):
            notes.append(f"{self.name} waits for {other.name}")

        def replay(self):
            notes.append("replay")

    device = torch.device("cpu")
    fakes = {
        "current_stream": lambda device: Fake("here"),
        "Stream": lambda device: Fake("beside"),
        "stream": lambda stream: nullcontext(),
        "device": lambda device: nullcontext(),
        "CUDAGraph": Fake,
        "graph": lambda graph, capture_error_mode: notes.append(capture_error_mode) or nullcontext(),
        "get_rng_state": lambda device: torch.get_rng_state(),
        "set_rng_state": lambda state, device: torch.set_rng_state(state),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    torch.manual_seed(3)
    wanted = torch.rand(())
    torch.manual_seed(3)

    def work():
        notes.append("work")
        return torch.rand(()), torch.zeros(1, 1)

    replay, results = record(work, device)
    assert torch.equal(results[0], wanted)
    before = ["beside waits for here", *["work"] * 3, "here waits for beside"]
    assert notes == [*before, "thread_local", "work"]
    replay()
    assert notes[-1] == "replay"
