"""Files inside .tar and .zip archives, read where they lie: nothing is ever unpacked, so nothing can escape.

A member's name is a label, never a path. Links, devices, encrypted members and names that would lead elsewhere are
passed over, each with the reason; a torn archive is refused as soon as that shows.
"""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

from alexnet.data.decode import MAX_BYTES, UnreadablePicture
from alexnet.data.member import LOCAL_HEADER, ZIP, Member, Window, data_offset
from alexnet.errors import DataError

# How a compressed tar begins: the program that unpacks it, and what reads it here.
COMPRESSED: dict[bytes, tuple[str, Callable[[Any], Any]]] = {
    b"\x1f\x8b": ("gunzip", lambda stream: gzip.GzipFile(fileobj=stream)),
    b"BZh": ("bunzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("unxz", lzma.LZMAFile),
}
MAX_MEMBERS = 20_000_000
MAX_PATH = 4096
# What tarfile and zipfile raise at foreign bytes.
BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError),
    *(NotImplementedError, RuntimeError, OverflowError, IndexError),
)
Skipped = list[tuple[str, str]]


class _StrictHeader(tarfile.TarInfo):
    """A tar header that must be whole; tarfile itself takes garbage between two members for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_StrictHeader":
        begin: int = archive.offset
        try:
            header = super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # the mark at the end
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {begin:,}") from error
        if header.size < 0 or archive.offset <= begin:
            raise tarfile.ReadError(f"negative size at byte {begin:,}")
        return header


def _refusal(name: str) -> str | None:
    """Say why a name is no label to trust; None if it is."""
    parts = name.split("/")
    if not name or name.startswith("/") or name[1:2] == ":":
        return "no name" if not name else "an absolute name"
    if ".." in parts or "\\" in name or "\0" in name:
        return "a name with '..', a backslash or a NUL"
    return f"a name longer than {MAX_PATH:,} characters" if len(name) > MAX_PATH else None


def _plain(name: str) -> str:
    """Take the needless parts out of a name: `./a//b` is `a/b`."""
    return "/".join(part for part in name.split("/") if part not in ("", ".")) if name[:1] != "/" else name


def _why_not_tar(header: tarfile.TarInfo) -> str | None:
    if header.issym() or header.islnk():
        return "a link"
    if not header.isfile():
        return "not a regular file"
    return "a sparse file" if header.issparse() else _refusal(_plain(header.name))


def _why_not_zip(entry: zipfile.ZipInfo) -> str | None:
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "not a regular file"
    if entry.flag_bits & 1:
        return "encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"compressed by a method that is not read here ({entry.compress_type})"
    return _refusal(_plain(entry.filename))


@contextmanager
def _refusing_torn(name: str) -> Iterator[None]:
    """Turn what the archive readers raise into one line with the way out."""
    try:
        yield
    except UnreadablePicture as error:
        raise DataError(f"{name}: {error}: fetch it again") from error
    except BROKEN as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise DataError(f"{name} cannot be read ({error.strerror}): check the path and its permissions") from error
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{name} is torn, or no archive ({reason}): fetch it again") from error


@contextmanager
def _opened(place: Path | Member) -> Iterator[tuple[BufferedIOBase, int]]:
    """Open an archive, or one inside another, and tell where it begins in the file on the disk."""
    if isinstance(place, Path):
        with place.open("rb") as stream:
            yield stream, 0
        return
    if place.deflated:
        raise DataError(f"{place.archive}/{place.name} is compressed once more: unzip it from {place.archive} first")
    with place.archive.open("rb") as whole:
        start = data_offset(whole, place)
        yield io.BufferedReader(Window(whole, start, place.size), 2048), start


def index(place: Path | Member, skipped: Skipped | None = None) -> list[Member]:
    """Find the files in a .tar (not compressed) or .zip, so that they can be read in any order, by any thread.

    Args:
        place: The archive; a `Member` of another is read in its place there: `index(index(outer)[0])`.
        skipped: Gets the name of each member that is no file to read, with the reason. Folders are not told. Of
            members of one name the last counts, as it would if the archive were unpacked.

    Returns:
        The members, sorted by name.

    Raises:
        DataError: If the archive is torn, or compressed as a whole (read that by `members`).
    """
    found: dict[str, Member] = {}
    told: Skipped = [] if skipped is None else skipped
    title = str(place) if isinstance(place, Path) else f"{place.archive}/{place.name}"
    with _refusing_torn(title), _opened(place) as (stream, base):
        head = stream.read(8)
        for start, (program, _) in COMPRESSED.items():
            if head.startswith(start):
                raise DataError(f"{title} is compressed as a whole: {program} it first")
        stream.seek(0)
        path = place if isinstance(place, Path) else place.archive
        walk = _index_zip if head.startswith(ZIP) else _index_tar
        for member in walk(path, stream, base, told):
            if member.name in found:
                told.append((member.name, "a later member has the same name"))
            found[member.name] = member
    return sorted(found.values(), key=lambda member: member.name)


def _headers(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the headers of a tar, without keeping them (a million of them is a gigabyte)."""
    count = 0
    while (header := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]
        count += 1
        if count > MAX_MEMBERS:
            raise tarfile.ReadError(f"more than {MAX_MEMBERS:,} members")
        yield header


def _index_tar(path: Path, stream: BufferedIOBase, base: int, skipped: Skipped) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r:", tarinfo=_StrictHeader) as archive:
        for header in _headers(archive):
            if header.isdir():
                continue
            if reason := _why_not_tar(header):
                skipped.append((header.name, reason))
            else:
                yield Member(path, _plain(header.name), base + header.offset_data, header.size)


def _index_zip(path: Path, stream: BufferedIOBase, base: int, skipped: Skipped) -> Iterator[Member]:
    with zipfile.ZipFile(stream) as archive:
        if len(archive.infolist()) > MAX_MEMBERS:
            raise zipfile.BadZipFile(f"more than {MAX_MEMBERS:,} members")
        end = 0
        for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
            if entry.header_offset < end:
                raise zipfile.BadZipFile(f"{entry.filename} overlaps the member before it")
            end = entry.header_offset + LOCAL_HEADER.size + entry.compress_size
            if entry.is_dir():
                continue
            if reason := _why_not_zip(entry):
                skipped.append((entry.filename, reason))
            else:
                place, deflated = base + entry.header_offset, entry.compress_type == zipfile.ZIP_DEFLATED
                sizes = entry.file_size, entry.compress_size
                yield Member(path, _plain(entry.filename), place, *sizes, deflated, entry.CRC)


def read(member: Member) -> bytes:
    """Read a member that must be there whole: a list, a key to the classes.

    Raises:
        DataError: If it is damaged.
    """
    try:
        return member.read()
    except UnreadablePicture as error:
        raise DataError(f"{member.archive}/{member.name}: {error}; fetch {member.archive.name} again") from error


def members(
    place: Path | Member | BufferedIOBase,
    wanted: Callable[[str], bool] = lambda name: True,
    *,
    skipped: Skipped | None = None,
    limit: int = MAX_BYTES,
) -> Iterator[tuple[str, bytes]]:
    """Read files out of an archive of any kind, compressed or not, in one pass.

    Args:
        place: The archive, or one inside another; also a stream of a tar, which need not be seekable.
        wanted: Tells by its name whether a member is to be read.
        skipped: Gets the names of members that were wanted and are no files to read, with the reason.
        limit: The most bytes of one member; larger ones are skipped.

    Yields:
        Name and bytes: of a tar in its order, of a zip by name.

    Raises:
        DataError: If the archive is torn. What came before may have been given.
    """
    told: Skipped = [] if skipped is None else skipped
    title = str(place) if isinstance(place, Path) else getattr(place, "name", "the archive")
    if isinstance(place, Path | Member) and _is_zip(place):
        for member in index(place, told):
            if wanted(member.name) and _fits(member.name, member.size, limit, told):
                yield member.name, read(member)
        return
    with (
        _refusing_torn(str(title)),
        _streamed(place) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictHeader) as archive,
    ):
        for header in _headers(archive):
            name = _plain(header.name)
            if header.isdir() or not wanted(name):
                continue
            if reason := _why_not_tar(header):
                told.append((header.name, reason))
            elif _fits(name, header.size, limit, told):
                yield name, _whole(archive, header)
        while stream.read(1 << 20):  # the checksum of a compressed stream comes at its end
            pass


def _is_zip(place: Path | Member) -> bool:
    with _refusing_torn(str(place if isinstance(place, Path) else place.name)), _opened(place) as (stream, _):
        return stream.read(4).startswith(ZIP)


@contextmanager
def _streamed(place: Path | Member | BufferedIOBase) -> Iterator[BufferedIOBase]:
    """Open a tar to be read from its beginning to its end, and take its compression off."""
    with ExitStack() as stack:
        stream = stack.enter_context(_opened(place))[0] if isinstance(place, Path | Member) else place
        ahead = io.BufferedReader(cast(io.RawIOBase, stream))
        stack.callback(ahead.detach)
        head = ahead.peek(8)
        for start, (_, reader) in COMPRESSED.items():
            if head.startswith(start):
                yield stack.enter_context(reader(ahead))
                return
        yield ahead


def _fits(name: str, size: int, limit: int, skipped: Skipped) -> bool:
    if size > limit:
        skipped.append((name, f"file of {size:,} bytes, more than {limit:,}"))
    return size <= limit


def _whole(archive: tarfile.TarFile, header: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(header)
    data = stream.read() if stream else b""
    if len(data) != header.size:
        raise tarfile.ReadError(f"{header.name} has {len(data):,} of {header.size:,} bytes")
    return data
