"""Tests of alexnet.report.account."""

import hashlib

import pytest

from alexnet.errors import DataError, UsageError
from alexnet.report.account import account_of, pictures_of
from alexnet.runs.run import Run


def test_a_run_is_told_with_its_store(account, tiny_store):
    assert (account.name, account.architecture, account.no_store) == ("tiny", Run(account.path).architecture, "")
    assert account.store.path == tiny_store
    assert account.look.split == "test"
    assert account.digest == hashlib.sha256((account.path / "best.safetensors").read_bytes()).hexdigest()
    assert account.kernels.shape == (8, 3, 5, 5)


def test_figures_are_measured_or_else_those_of_the_log(account, bare):
    result, last = account.look.result, Run(account.path).log()[-1]
    assert account.figures["top1"] == result.top1
    assert bare.store is None
    assert bare.look is None
    assert "/no/such/store, which is gone" in bare.no_store
    assert bare.figures["top1"] == last["val_top1"]
    assert bare.figures["train_loss"] == account.figures["train_loss"] == last["train_loss"]


def test_a_store_that_has_moved_may_be_named(bare, tiny_store):
    found = account_of(bare.path, tiny_store, "train", with_neighbors=False)
    assert found.look.split == "train"
    assert found.look.alike == []


def test_what_does_not_fit_is_refused(tiny_run, tiny_store, photo_store, tmp_path):
    with pytest.raises(UsageError, match="has other classes than"):
        account_of(tiny_run, photo_store)
    with pytest.raises(UsageError, match=r"has no split tset: .*test"):
        account_of(tiny_run, tiny_store, "tset")
    with pytest.raises(UsageError, match="is no run"):
        account_of(tmp_path)


def test_a_run_that_has_not_trained_yet_is_refused(tiny_run, tmp_path):
    for name in ("architecture.json", "recipe.json", "classes.json", "store.json"):
        (tmp_path / name).write_bytes((tiny_run / name).read_bytes())
    with pytest.raises(DataError, match=r"no log.jsonl in"):
        account_of(tmp_path)


def test_pictures_to_be_looked_at_are_counted(tiny_run, bare, account):
    sizes = {name: len(split) for name, split in account.store.splits.items()}
    assert pictures_of(tiny_run, None, None) == sizes["test"] + 2 * sizes["train"]
    assert pictures_of(tiny_run, None, "train", False) == sizes["train"]
    assert pictures_of(bare.path, None, None) == 0
