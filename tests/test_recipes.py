"""The named recipes say what their sources say, each number with its reason; files are read as recipes."""

from pathlib import Path

import pytest

from alexnet import catalogue
from alexnet.errors import UsageError
from alexnet.nn.network import Network
from alexnet.optim import frozen_from, make_optimizer
from alexnet.recipe import changes
from alexnet.recipes import FAST, PAPER, REASONS, RECIPES, load_recipe
from alexnet.schedule import Schedule
from alexnet.variations import vary


@pytest.mark.parametrize("name", RECIPES)
def test_every_departure_from_the_paper_has_its_reason(name: str) -> None:
    changed = {field for field, _, _ in changes(RECIPES[name], PAPER)}
    assert changed == set(REASONS[name])


@pytest.mark.parametrize("name", RECIPES)
def test_every_reason_is_a_short_sentence(name: str) -> None:
    for field, why in REASONS[name].items():
        assert 3 < len(why) <= 100, (name, field)
        assert not why.endswith("."), (name, field)


# What each source says of the rate: (epoch, rate of the weights over the first) where it changes.
RATES = {
    "authors-2012": [(24.9, 1), (25, 0.1), (50.9, 0.1), (51, 0.01), (79, 1e-3), (90, 1e-3)],
    "one-weird-trick": [(22.4, 1), (22.6, 250 ** (-1 / 3)), (45.1, 250 ** (-2 / 3)), (67.6, 1 / 250), (89.9, 1 / 250)],
    "caffe": [(19.9, 1), (20, 0.1), (40, 0.01), (60, 1e-3), (80, 1e-4)],
    "torchvision": [(29.9, 1), (30, 0.1), (60, 0.01), (89, 0.01)],
    "cifar-18pct": [(119.9, 1), (120, 0.1), (130, 0.01), (139, 0.01)],
    "cifar-13pct": [(139.9, 1), (140, 0.1), (150, 0.01)],
    "cifar-11pct": [(499.9, 1), (500, 0.1), (510, 0.01)],
    "write-up-000": [(0, 1), (29, 1)],
    "write-up-004": [(9.9, 1), (30, 0.1), (60, 0.01)],
}


@pytest.mark.parametrize("name", RATES)
def test_the_rate_falls_where_the_source_says(name: str) -> None:
    recipe = RECIPES[name]
    schedule = Schedule(recipe)
    for position, share in RATES[name]:
        assert schedule.rate(position) == pytest.approx(recipe.lr * share, rel=1e-9), position
        assert schedule.unfallen(position) == recipe.lr


def test_the_numbers_of_the_2012_source() -> None:
    recipe = RECIPES["authors-2012"]
    assert (recipe.lr, recipe.lr * recipe.bias_lr_factor, recipe.batch_size, recipe.epochs) == (0.01, 0.02, 128, 91)
    assert (recipe.bias_weight_decay, recipe.bias_lr_falls, recipe.shuffle) == (False, False, False)
    assert (recipe.colour_form, recipe.colour_noise, recipe.colour_noise_until) == ("authors", 0.1, 67)
    assert (recipe.shared_crop, recipe.optimizer) == (32, "paper")
    assert frozen_from(recipe, Network(vary(catalogue.AUTHORS_2012, "side=67"))) == {"conv1": 72}


# epsW, epsB and wc of each layer, as the files have them.
CUDA_CONVNET = {
    "cifar-18pct": {"conv1": 0.004, "conv2": 0.004, "conv3": 0.004, "fc10": 1.0},
    "cifar-13pct": {"conv1": 0.0, "conv2": 0.0, "local3": 0.004, "local4": 0.004, "fc10": 0.004},
    "cifar-11pct": {"conv1": 0.0, "conv2": 0.0, "local3": 0.004, "local4": 0.004, "fc10": 0.01},
}


@pytest.mark.parametrize("name", CUDA_CONVNET)
def test_each_layer_of_cuda_convnet_has_its_own_decay(name: str) -> None:
    network = Network(catalogue.named(name))
    names = {id(parameter): path for path, parameter in network.named_parameters()}
    found = {}
    for group in make_optimizer(RECIPES[name], network).param_groups:
        for parameter in group["params"]:
            layer, _, kind = names[id(parameter)].rpartition(".")
            if kind == "bias":
                assert (group["lr"], group["weight_decay"]) == (0.002, 0.0)
            else:
                assert group["lr"] == 0.001
                found[layer] = group["weight_decay"]
    assert found == CUDA_CONVNET[name]


@pytest.mark.parametrize("name", ["fine-tune", "authors-2012"])
def test_recipes_that_name_layers_name_those_of_every_alexnet(name: str) -> None:
    for network in ("paper", "authors-2012", "single", "half", "caffe", "caffenet", "torchvision"):
        module = Network(vary(catalogue.named(network), "side=67", "classes=2"))
        make_optimizer(RECIPES[name], module)
        frozen_from(RECIPES[name], module)


def test_a_toml_file_builds_on_its_base(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "fast"\nlr = 1\nlr_steps = [2, 4]\nbias_weight_decay = false\n')
    assert load_recipe(str(path)) == FAST.with_changes(lr=1.0, lr_steps=(2, 4), bias_weight_decay=False)
    path.write_text("epochs = 3\n")
    assert load_recipe(path) == PAPER.with_changes(epochs=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "unknown recipe field epoch: did you mean epochs?"),
        ("lr = nan", "lr=nan is out of range"),
        ("lr = ", "is no recipe"),
        ('base = "fats"', "did you mean fast?"),
        ("base = 3", "unknown recipe 3"),
        ("[training]\nlr = 1", "unknown recipe field training"),
        ("lr = 2026-01-01", "lr must be a number"),
    ],
)
def test_a_bad_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_recipe(path)
    assert message in str(caught.value)
    assert "bad.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown recipe papr .*: did you mean paper\?"):
        load_recipe("papr")
    with pytest.raises(UsageError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        load_recipe(tmp_path / "folder.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="no text file"):
        load_recipe(tmp_path / "binary.toml")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(UsageError, match="is no recipe"):
        load_recipe(tmp_path / "list.json")
