"""Checksums of records, fast enough to be taken whenever a record is first read.

CRC-32 runs at 1 to 4 GB/s, five times the time of copying a raw record. The sum of a raw record's 64-bit words takes a
third of the copy: it changes with any byte, a torn or zeroed block changes it too, and the SHA-256 of the shard backs
it when the whole store is verified. A JPEG record takes its CRC-32, which is little beside decoding it.
"""

import math
import zlib

import numpy as np
from jaxtyping import UInt8, UInt64


def word_sums(records: UInt8[np.ndarray, "n *shape"]) -> UInt64[np.ndarray, "n"]:
    """Sum every record's bytes as 64-bit little-endian words, modulo 2**64; the last word is filled up with zeros."""
    rows = records.reshape(len(records), math.prod(records.shape[1:]))
    whole = rows.shape[1] // 8 * 8
    sums: np.ndarray = rows[:, :whole].view("<u8").sum(1, dtype=np.uint64)
    for place, byte in enumerate(range(whole, rows.shape[1])):
        sums += rows[:, byte].astype(np.uint64) << np.uint64(8 * place)
    return sums


def file_checksum(data: bytes | memoryview) -> int:
    """Give the CRC-32 of a record that is a file."""
    return zlib.crc32(data)
