"""Read plain data out of a pickle: arrays, numbers, strings, lists and dictionaries; nothing in it can run.

A pickle is a program. Here every name that it calls by is one of ours, and NumPy never sees what it says of an array
before that was checked: a forged dtype could else make NumPy take the file's bytes for addresses.
"""

import pickle  # only as `_PlainUnpickler`
import re
from collections.abc import Callable
from io import BufferedIOBase
from typing import Any

import numpy as np


class _Dtype:
    """Stands for `numpy.dtype`: its name and its byte order."""

    def __init__(self, name: str | bytes, *_: object) -> None:
        self.name = name.decode("latin1") if isinstance(name, bytes) else name
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"byte order {order!r} is unknown")
        self.order = order


class _Array:
    """Stands for `numpy.ndarray` while a pickle is read; `value` is the array, or the list of an array of objects."""

    value: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, by_columns, data = state
        if not isinstance(dtype, _Dtype):
            raise pickle.UnpicklingError("an array has no dtype")
        if dtype.name in ("O", "O8") and isinstance(data, list):
            self.value = data
        elif re.fullmatch(r"[fiu][1248]|b1", dtype.name) and isinstance(data, bytes):
            flat = np.frombuffer(data, np.dtype(dtype.order + dtype.name))
            self.value = flat.reshape(shape, order="F" if by_columns else "C")
        else:
            raise pickle.UnpicklingError(f"arrays of {dtype.name} are not allowed")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _latin1(text: str, encoding: str) -> bytes:
    """Encode as Python 3 has its oldest pickles do with bytes; `_codecs.encode` would look up any codec."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"the encoding {encoding} is not allowed")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Give what Python 3 has its oldest pickles call `bytes` for; with a number, that would fill the memory."""
    return b""


NAMES: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
}


class _PlainUnpickler(pickle.Unpickler):
    """Knows `NAMES` and no other."""

    what = "this file"

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in {self.what}")
        return NAMES[module, name]


def unpickle(stream: BufferedIOBase, what: str) -> Any:
    """Read the pickle that begins at the stream's place; its old strings stay bytes.

    Args:
        stream: Read to the end of the pickle.
        what: The kind of file, for the message: `a batch`.

    Returns:
        Plain data; arrays are read-only.

    Raises:
        Exception: A pickle that is torn or hostile can raise anything.
    """
    reader = _PlainUnpickler(stream, encoding="bytes")
    reader.what = what
    return _without_stand_ins(reader.load())


def _without_stand_ins(value: Any) -> Any:
    """Put the arrays in the place of what stood for them."""
    if isinstance(value, _Array):
        return _without_stand_ins(value.value)
    if isinstance(value, dict):
        return {key: _without_stand_ins(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_without_stand_ins(entry) for entry in value)
    return value
