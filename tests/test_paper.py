"""The paper's numbers agree with each other and with the notes of 2012."""

import math

import pytest

from alexnet import paper
from alexnet.paper import CLAIMS, NOTES_2012, PAPER_RESULTS, WRITE_UP_RESULTS, Metric, printed

EVERYTHING = (*PAPER_RESULTS, *NOTES_2012, *WRITE_UP_RESULTS)


def test_neurons_and_parameters_follow_from_the_layers() -> None:
    units = [side**2 * kernels for side, kernels in zip(paper.MAP_SIDES, paper.KERNELS, strict=True)]
    units += [paper.HIDDEN_UNITS, paper.HIDDEN_UNITS, paper.CLASSES]
    assert tuple(units) == paper.NEURONS
    assert sum(paper.NEURONS) == 659_272
    assert [a == b for a, b in zip(paper.NEURONS, paper.CAPTION_NEURONS, strict=True)] == [False] + [True] * 7
    # Kernels of conv2, conv4 and conv5 see the maps of their own tower only (§3.2).
    seen = (3, 96 // 2, 256, 384 // 2, 384 // 2)
    weights = sum(k * s**2 * c for k, s, c in zip(paper.KERNELS, paper.KERNEL_SIDES, seen, strict=True))
    full = 6 * 6 * 256 * 4096 + 4096 * 4096 + 4096 * 1000
    assert weights + full + sum(paper.KERNELS) + 2 * 4096 + 1000 == paper.PARAMETERS


def test_shares_are_shares_and_the_rest_is_positive() -> None:
    for row in EVERYTHING:
        assert math.isfinite(row.value), row
        assert row.value > 0, row
        if row.metric not in ("loss", "train_loss", "factor", "count"):
            assert row.value <= 1, row


def test_claims_are_numbered_and_results_name_them() -> None:
    assert [claim.name for claim in CLAIMS] == [f"C{number}" for number in range(1, 21)]
    known = {claim.name for claim in CLAIMS} | {""}
    assert {row.claim for row in EVERYTHING} <= known
    assert len(set(EVERYTHING)) == len(EVERYTHING)


@pytest.mark.parametrize(
    ("name", "section", "run"),
    [("CNN", "Table 1", "145-2010"), ("1 CNN", "Table 2", "145"), ("1 CNN*", "Table 2", "146-2012-2011")],
)
def test_printed_errors_are_the_notes_rounded(name: str, section: str, run: str) -> None:
    for metric in ("top1_error", "top5_error"):
        noted = [row.value for row in NOTES_2012 if (row.name, row.metric) == (run, metric)]
        assert printed(name, metric, section) == round(noted[0], 3)


@pytest.mark.parametrize(
    ("gain", "section", "without", "base"),
    [
        ("response normalisation", "§3.3", "148", "145"),
        ("overlapping pooling", "§3.4", "147", "145"),
        ("two towers", "§3.2", "145-half", "145-2010"),
    ],
)
def test_printed_gains_are_differences_of_the_notes(gain: str, section: str, without: str, base: str) -> None:
    def noted(run: str, metric: str) -> float:
        return next(row.value for row in NOTES_2012 if (row.name, row.metric) == (run, metric))

    metrics: list[tuple[Metric, Metric]] = [("top1_error", "top1_gain"), ("top5_error", "top5_gain")]
    for error, gained in metrics:
        difference = noted(without, error) - noted(base, error)
        assert printed(gain, gained, section) == pytest.approx(difference, abs=0.00051)


def test_write_ups() -> None:
    dogs = [round(row.value * 290) for row in WRITE_UP_RESULTS if row.section == "write-up 000"]
    assert dogs == [65, 63, 55, 64]
    assert printed("as written", "train_top1", "write-up 004") == paper.WRITE_UP_004_TRAIN_TOP1[-1]
    assert len(paper.WRITE_UP_004_LOSS_SUMS) == len(paper.WRITE_UP_004_TRAIN_TOP1) == 10
    # Forty batches at ln(10): the plateau.
    assert paper.WRITE_UP_004_LOSS_SUMS[0] / 40 == pytest.approx(math.log(10), abs=1e-3)
    assert paper.WRITE_UP_001_LOSSES[50] == (
        printed("epoch 50", "train_loss", "write-up 001"),
        printed("epoch 50", "loss", "write-up 001"),
    )


def test_a_number_that_is_not_one_is_not_found() -> None:
    with pytest.raises(LookupError, match="2 printed numbers"):
        printed("145-2010", "top1_error", "2012 notes, 145-2010")
    with pytest.raises(LookupError, match="0 printed numbers"):
        printed("2 CNNs", "top1_error", "Table 2")
