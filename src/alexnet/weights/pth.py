"""`.pth`: a state dict as torch.save writes it, under torchvision's names or ours; nothing in it can run."""

import io
import mmap
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from alexnet.errors import DataError
from alexnet.weights.content import Found, by_our_names, zip_members

# Where training programs put the network among other things.
_PLACES = ("state_dict", "model")
# Allowed by torch, and of no use to weights: one makes any number of bytes, the other, with hex, twice as many.
_FILLING = (b"\nbytearray\n", b"_codecs\nencode\n")
# What torch.load answers runs over many lines; this is what matters to the user.
_FORBIDDEN = re.compile(r"GLOBAL (\S{1,80})\S* (?:was not|whose module)")
_REASON = re.compile(r"WeightsUnpickler error: (.{1,100})|^(.{1,100})")


def read(path: Path) -> Found:
    """Read a state dict.

    Raises:
        DataError: If it is torn, needs code to be read, or is of another network.
    """
    size = path.stat().st_size
    _refuse_bomb(path, size)
    _refuse_filling(path, size)
    try:
        # Not by its path, of which the ending .safetensors would make torch take another reader.
        with open(path, "rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the error below says it in a line
            held = torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle can raise anything
        if forbidden := _FORBIDDEN.search(str(error)):
            raise DataError(
                f"{path} holds more than weights: it would call {forbidden[1]}, which could run anything; "
                "save the state dict alone, torch.save(model.state_dict(), file)"
            ) from error
        found = _REASON.findall(str(error))
        reason = "".join(found[-1]) if found else type(error).__name__
        if reason.startswith("Weights only load failed"):
            reason = "a pickle that torch does not read"
        raise DataError(f"{path} is torn, or no file of torch.save ({reason}): fetch or save it again") from error
    tensors = _state_dict(held, path)
    claimed = sum(value.numel() * value.element_size() for value in tensors.values() if isinstance(value, Tensor))
    if claimed > size:
        raise DataError(f"{path} claims {claimed:,} bytes of weights, but has {size:,}: it is not what it claims")
    return by_our_names(tensors, path)


def _refuse_bomb(path: Path, size: int) -> None:
    """Refuse an archive that grows when it is unpacked; torch.save compresses nothing."""
    if any(member.compress_type != zipfile.ZIP_STORED or member.file_size > size for member in zip_members(path)):
        raise DataError(f"{path} is compressed, which torch.save never does: save it again")


def _refuse_filling(path: Path, size: int) -> None:
    """Refuse a pickle that could fill the memory by what torch lets it call, as `bytearray(10**10)`.

    torch takes names by the opcode GLOBAL alone, which has them in plain letters; nothing is compressed here.
    """
    if not size:
        return
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for name in _FILLING:
            if data.find(name) >= 0:
                called = name.decode().strip().replace("\n", ".")
                raise DataError(f"{path} holds more than weights: it would call {called}; save the state dict alone")


def _state_dict(held: object, path: Path) -> Mapping[str, Any]:
    """Find the tensors in what the file holds."""
    for place in _PLACES:
        if isinstance(held, Mapping) and isinstance(held.get(place), Mapping):
            held = held[place]
    if not isinstance(held, Mapping) or not all(isinstance(name, str) for name in held):
        raise DataError(f"{path} holds no state dict: save one, torch.save(model.state_dict(), file)")
    return held


def write(stream: IO[bytes], tensors: Mapping[str, Tensor]) -> None:
    """Write a state dict."""
    # In memory first: torch tells a full disk as an error of its own, of many lines.
    buffer = io.BytesIO()
    torch.save(dict(tensors), buffer)
    stream.write(buffer.getbuffer())
