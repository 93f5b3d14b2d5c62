"""Safetensors files under a digest of every one of their bytes, which any reader of safetensors still takes.

Their header begins with `{"__metadata__":{"sha256":"` and 64 digits: the SHA-256 of the file as it is when these digits
stand as zeros. Neither safetensors nor torch notices a flipped bit; here one is noticed wherever it lies, in the
length of the header, its padding and the digest itself too.

The file is written and checked in pieces, so that no second copy of the tensors is made.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from alexnet.errors import DataError

# After the eight bytes of the header's length.
OPENING = b'{"__metadata__":{"sha256":"'
DIGITS = slice(8 + len(OPENING), 8 + len(OPENING) + 64)
# Of an AlexNet a few thousand bytes, and the history of its training; more is an attack on whoever parses it, and many
# tensors are the worst: as objects they take twelve times the memory.
MOST_HEADER_BYTES, MOST_LISTS = 32_000_000, 200_000
PIECE = 1 << 22
DTYPES = {
    **{torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"},
    **{torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8"},
    **{torch.uint8: "U8", torch.bool: "BOOL"},
}


def write(
    stream: IO[bytes],
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    halfway: Callable[[], None] = lambda: None,
) -> None:
    """Write a sealed file.

    Args:
        stream: Empty, and able to seek.
        tensors: By name; anywhere, in any layout.
        metadata: Texts by name; `sha256` is ours.
        halfway: Called once, when half of the bytes are out.
    """
    # Widest numbers first, so that each lies where its kind may lie.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    start = _header(tensors, order, metadata)
    digest, half = hashlib.sha256(start), sum(map(_size, tensors.values())) // 2
    stream.write(start)
    written = 0
    for name in order:
        for piece in _pieces(tensors[name]):
            digest.update(piece)
            stream.write(piece)
            if written <= half < written + len(piece):
                stream.flush()
                halfway()
            written += len(piece)
    stream.seek(DIGITS.start)
    stream.write(digest.hexdigest().encode())
    stream.seek(0, os.SEEK_END)


def _header(tensors: Mapping[str, Tensor], order: list[str], metadata: Mapping[str, str]) -> bytes:
    """Give the file's first bytes: the length of the header and the header, the digest's digits still zeros."""
    header: dict[str, Any] = {"__metadata__": {"sha256": "0" * 64, **metadata}}
    place = 0
    for name in order:
        tensor = tensors[name]
        offsets = [place, place := place + _size(tensor)]
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _pieces(tensor: Tensor) -> Iterator[memoryview]:
    """Give a tensor's bytes, row after row."""
    plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    for start in range(0, len(plain), PIECE):
        yield plain[start : start + PIECE].data


def check(path: Path, from_disk: bool = False) -> bool:
    """Compare a file with its digest.

    Args:
        path: A safetensors file.
        from_disk: Read what the disk holds, not what memory still has of it, where the system can be asked to.

    Returns:
        Whether it has one: other programs' files have none.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is torn, damaged, or its header is absurd.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise DataError(f"{path} is no file: give one")
        with open(path, "rb") as stream:
            if from_disk and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return _check(stream, path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}): restore it, or use another one") from error


def _check(stream: IO[bytes], path: Path) -> bool:
    start, size = stream.read(DIGITS.stop), os.fstat(stream.fileno()).st_size
    length = int.from_bytes(start[:8], "little")
    if size < 8 or length > size - 8:
        raise DataError(f"{path} is torn, or no .safetensors: restore it, or use another one")
    if length > MOST_HEADER_BYTES:
        raise DataError(f"{path} has a header of {length:,} bytes, which no network needs: use another file")
    header = (start + stream.read(max(0, 8 + length - len(start))))[: 8 + length]
    if (lists := header.count(b"[")) > MOST_LISTS:  # two per tensor
        raise DataError(f"{path} has a header of {lists:,} lists, which no network needs: use another file")
    if start[8 : DIGITS.start] != OPENING:
        return False
    stream.seek(DIGITS.stop)
    digest = hashlib.sha256(start[: DIGITS.start] + b"0" * 64)
    buffer = memoryview(bytearray(PIECE))
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
    if start[DIGITS] != digest.hexdigest().encode():
        raise DataError(f"{path} is damaged (its digest does not match): restore it, or use another one")
    return True
