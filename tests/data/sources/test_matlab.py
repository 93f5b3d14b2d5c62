import io
import sys
import types

import numpy as np
import pytest

from alexnet.data.sources.matlab import read_names
from alexnet.errors import AlexNetError, DataError

NAMES = ["n02085620-Chihuahua/n02085620_5927.jpg", "n02085936-Maltese_dog/n02085936_37.jpg"]


def cells(names):
    """Make what SciPy gives for a column of strings: arrays in an array."""
    column = np.empty((len(names), 1), object)
    for row, name in enumerate(names):
        column[row, 0] = np.array([name])
    return column


def pretend(monkeypatch, loadmat):
    scipy, scipy_io = types.ModuleType("scipy"), types.ModuleType("scipy.io")
    scipy.io, scipy_io.loadmat = scipy_io, loadmat
    monkeypatch.setitem(sys.modules, "scipy", scipy)
    monkeypatch.setitem(sys.modules, "scipy.io", scipy_io)


def test_a_column_of_strings_is_a_list(monkeypatch):
    pretend(monkeypatch, lambda stream, variable_names: {variable_names[0]: cells(NAMES)})
    assert read_names(b"", "file_list", "train_list.mat") == NAMES


def test_a_true_file_of_matlab_is_read():
    scipy_io = pytest.importorskip("scipy.io", reason="SciPy is not installed")
    whole = io.BytesIO()
    scipy_io.savemat(whole, {"file_list": cells(NAMES), "labels": np.ones((2, 1))})
    assert read_names(whole.getvalue(), "file_list", "train_list.mat") == NAMES
    for data in (b"", whole.getvalue()[:200], b"no matlab" * 50):
        with pytest.raises(DataError, match=r"train_list.mat holds no list file_list \(.+\): fetch it again"):
            read_names(data, "file_list", "train_list.mat")
    with pytest.raises(DataError, match="holds no list other"):
        read_names(whole.getvalue(), "other", "train_list.mat")


def test_a_torn_file_is_named(monkeypatch):
    def torn(stream, variable_names):
        raise TypeError("torn\nfile")

    pretend(monkeypatch, torn)
    with pytest.raises(DataError, match=r"x/train_list.mat holds no list file_list \(TypeError: torn file\)"):
        read_names(b"", "file_list", "x/train_list.mat")


def test_without_scipy_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(AlexNetError, match=r'train_list.mat .* needs SciPy: pip install "alexnet\[matlab\]"') as caught:
        read_names(b"", "file_list", "train_list.mat")
    assert caught.value.exit_code == 1
