import io
import os
import pickle
import subprocess

import numpy as np
import pytest

from alexnet.unpickling import unpickle


def read(data):
    return unpickle(io.BytesIO(data), "a test")


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("kind", ["f2", "<f4", ">f4", "f8", "u1", "i8", "b1"])
def test_arrays_come_back_as_they_were(protocol, kind):
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    for one in (array, np.asfortranarray(array), array[:, ::2], np.array(3, kind), np.empty((0, 2), kind)):
        found = read(pickle.dumps(one, protocol=protocol))
        np.testing.assert_array_equal(found, one)
        assert found.dtype == one.dtype


@pytest.mark.parametrize("protocol", range(5))
def test_plain_data_comes_back_as_it_was(protocol):
    held = {"a": [1, 2.5, None, True], "b": ("c", {"d": b"e"}), 3: np.ones(2)}
    found = read(pickle.dumps(held, protocol=protocol))
    assert found["a"] == held["a"]
    assert found["b"] == held["b"]
    np.testing.assert_array_equal(found[3], held[3])


def test_an_array_of_objects_comes_back_as_their_list():
    assert read(pickle.dumps(np.array({"a": 1}, dtype=object), protocol=4)) == [{"a": 1}]


def test_the_strings_of_python_2_stay_bytes():
    assert read(b"U\x03abc.") == b"abc"


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


GADGETS = [
    Call(os.system, "mkdir harm"),
    Call(os.mkdir, "harm"),
    Call(eval, "__import__('os').mkdir('harm')"),
    Call(exec, "import os; os.mkdir('harm')"),
    Call(subprocess.Popen, ["mkdir", "harm"]),
    Call(getattr, os, "mkdir"),
    Call(np.load, "harm.npy"),
    Call(np.lib.format.open_memmap, "harm", "w+"),
    Call(open, "harm", "w"),
    Call(pickle.loads, b"."),
    Call(np.dtype),
    Call(__import__, "os"),
    Call(bytes, 10**15),
]


@pytest.mark.parametrize("gadget", GADGETS, ids=lambda gadget: gadget.call[0].__name__)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_runs(gadget, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((pickle.PicklingError, pickle.UnpicklingError, TypeError)):
        read(pickle.dumps(gadget, protocol=protocol))
    assert list(tmp_path.iterdir()) == []


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"


def forged_dtype(name, state):
    return b"cnumpy\ndtype\n(S'" + name + b"'\nI0\nI1\ntR(" + state + b"tb"


@pytest.mark.parametrize(
    "name", [b"O", b"V8", b"S8", b"U2", b"M8", b"c8", b"f4,O", b"(1000000,1000000)f4", b"f3", b"object", b"p"]
)
def test_bytes_are_never_taken_for_addresses_or_other_things(name):
    # As if an array of objects had its flags taken away, so that NumPy would copy the bytes for pointers.
    dtype = forged_dtype(name, b"I3\nS'|'\nNNNI-1\nI-1\nI0\n")
    with pytest.raises(pickle.UnpicklingError, match="are not allowed"):
        read(RECONSTRUCT + b"(I1\n(I1\nt" + dtype + b"I00\nS'ABCDEFGH'\ntb.")


@pytest.mark.parametrize(
    ("shape", "error"),
    [(b"(I1000000000000\nt", ValueError), (b"(I-1\nI-1\nt", ValueError), (b"S'x'\n", ValueError)],
)
def test_a_shape_that_its_bytes_do_not_fill_is_refused(shape, error):
    dtype = forged_dtype(b"f4", b"I3\nS'<'\nNNNI-1\nI-1\nI0\n")
    with pytest.raises(error):
        read(RECONSTRUCT + b"(I1\n" + shape + dtype + b"I00\nS'ABCDEFGH'\ntb.")


def test_an_odd_byte_order_is_refused():
    with pytest.raises(pickle.UnpicklingError, match="byte order"):
        read(forged_dtype(b"f4", b"I3\nS'O,O'\nNNNI-1\nI-1\nI0\n") + b".")


def test_only_latin1_is_looked_up_for_bytes():
    with pytest.raises(pickle.UnpicklingError, match="encoding zlib is not allowed"):
        read(b"c_codecs\nencode\n(Vabc\nVzlib\ntR.")


def test_the_kind_of_file_is_told():
    with pytest.raises(pickle.UnpicklingError, match=r"os\.system is not allowed in a test"):
        read(b"cos\nsystem\n(S'true'\ntR.")
