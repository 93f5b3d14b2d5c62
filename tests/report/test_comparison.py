"""Tests of alexnet.report.comparison."""

import pytest

from alexnet.report.comparison import beside

FIGURES = {"top1": 0.8, "top5": 0.9, "loss": 0.5, "train_loss": 0.4, "train_top1": 0.85}


def store(kind, train=50_000, classes=10):
    return kind, classes, train


def rows(network, of, figures=FIGURES):
    return {(row.source, row.metric): (row.printed, row.here) for row in beside(network, *of, figures)}


def test_cuda_convnets_networks_are_put_beside_their_names_and_3_3():
    found = rows("cifar-11pct", store("cifar10"))
    assert found["cuda-convnet: cifar-11pct", "top1"] == (pytest.approx(0.89), 0.8)
    assert found["§3.3: four layers with normalisation", "top1"] == (pytest.approx(0.89), 0.8)
    assert rows("cifar-18pct", store("cifar10"))["cuda-convnet: cifar-18pct", "top1"][0] == pytest.approx(0.82)


def test_write_ups_are_told_by_their_pictures():
    assert rows("single", store("cifar10", 5_000))["write-up 004: as written", "top1"] == (0.2670, 0.8)
    assert rows("single", store("cifar10"))["write-up 001: epoch 50", "loss"] == (0.83729, 0.5)
    dogs = rows("torchvision", store("stanford-dogs", 652, 5))
    assert {source.split(":")[0] for source, _ in dogs} == {"write-up 000"}


def test_imagenets_errors_become_accuracies():
    found = rows("paper", store("imagenet", classes=1000))
    assert found["§6, footnote: CNN", "top1"] == (pytest.approx(0.61), 0.8)
    assert found["Table 2: 1 CNN", "top5"] == (pytest.approx(0.818), 0.9)
    assert len(found) == 4  # those of one network, one view


@pytest.mark.parametrize(
    "of", [store(""), store("folder"), store("imagenet", classes=100), store("stanford-dogs", classes=120)]
)
def test_other_pictures_have_nothing_beside_them(of):
    assert rows("paper", of) == {}


def test_figures_that_are_not_there_are_left_out():
    assert rows("paper", store("imagenet", classes=1000), {"top1": 0.5, "top5": None}).keys() == {
        ("§6, footnote: CNN", "top1"),
        ("Table 2: 1 CNN", "top1"),
    }
