"""A file inside an archive, as a place that any thread may read from at any time."""

import io
import os
import struct
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from alexnet.data.decode import MAX_BYTES, UnreadablePicture

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip's member: magic, length of the name, length of the extra field


@dataclass(frozen=True, order=True, slots=True)
class Member:
    """A file inside an archive; any thread may read it at any time.

    Attributes:
        archive: The archive on the disk, also for an archive inside an archive.
        name: In the archive.
        offset: Where its bytes begin in `archive`; in a zip, where its local header begins.
        size: Its bytes.
        packed: Its bytes as they lie in a zip; None in a tar.
        deflated: Whether these are compressed.
        crc: The CRC-32 that a zip states of its bytes.
    """

    archive: Path
    name: str
    offset: int
    size: int
    packed: int | None = None
    deflated: bool = False
    crc: int | None = None

    def read(self) -> bytes:
        """Read it whole.

        Raises:
            UnreadablePicture: With the reason, as `decode_file` does.
        """
        if self.size > MAX_BYTES:
            raise UnreadablePicture(f"file of {self.size:,} bytes, more than {MAX_BYTES:,}")
        try:
            with self.archive.open("rb") as stream:
                stream.seek(data_offset(stream, self))
                data = stream.read(self.size if self.packed is None else self.packed)
            if self.deflated:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, self.size + 1)
        except (OSError, zlib.error) as error:
            raise UnreadablePicture(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
        if len(data) != self.size or (self.crc is not None and zlib.crc32(data) != self.crc):
            raise UnreadablePicture("damaged in its archive: other bytes than the archive states")
        return data


def data_offset(stream: BufferedIOBase, member: Member) -> int:
    """Find where a member's bytes begin; in a zip, after a header of their own."""
    if member.packed is None:
        return member.offset
    stream.seek(member.offset)
    header = stream.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or not header.startswith(ZIP[0]):
        raise UnreadablePicture("damaged in its archive: no header of a member where the archive states it")
    _, name, extra = LOCAL_HEADER.unpack(header)
    return member.offset + LOCAL_HEADER.size + name + extra


class Window(io.RawIOBase):
    """A piece of a file that is to look like a file: an archive inside an archive."""

    def __init__(self, stream: BufferedIOBase, start: int, size: int) -> None:
        self.stream, self.start, self.size, self.place = stream, start, size, 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the piece."""
        self.place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.size}[whence]
        if self.place < 0:
            raise ValueError(f"seek before the beginning ({self.place})")
        return self.place

    def readinto(self, buffer: Any) -> int:
        """Read what fits, and not beyond the piece."""
        self.stream.seek(self.start + self.place)
        data = self.stream.read(max(0, min(len(buffer), self.size - self.place)))
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)
