"""Fetch a published file: it gets its name only when its size and SHA-256 are right."""

import hashlib
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from alexnet.durable import atomic_file
from alexnet.errors import AlexNetError, DataError

TIMEOUT_SECONDS = 30
# Of a file whose size was not published: it must not fill the disk before its digest can be seen.
MOST_BYTES = 4 << 30


def fetch(url: str, path: Path, sha256: str, size: int | None = None) -> None:
    """Fetch `url` to `path`, whole and checked, or not at all.

    Args:
        url: Where it is published.
        path: Where to put it; folders above are made.
        sha256: What it must be, in hexadecimal digits.
        size: Its bytes, where they are known.

    Raises:
        AlexNetError: If it cannot be fetched; the message says what to fetch by other means, and where to put it.
        DataError: If another file comes.
    """
    instead = f"fetch it by other means and put it at {path}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        response = urlopen(url, timeout=TIMEOUT_SECONDS)  # noqa: S310 - callers allow https only; the digest decides
    except (OSError, HTTPException, ValueError) as error:
        raise AlexNetError(f"cannot download {url} ({getattr(error, 'reason', error)}): {instead}") from error
    digest, received = hashlib.sha256(), 0
    with response, atomic_file(path) as stream:
        while received <= (MOST_BYTES if size is None else size):
            try:
                piece = response.read(1 << 20)
            except (OSError, HTTPException) as error:
                raise AlexNetError(f"{url} broke off after {received:,} bytes ({error}): {instead}") from error
            if not piece:
                break
            received += len(piece)
            digest.update(piece)
            stream.write(piece)
        if received != (size or received) or digest.hexdigest() != sha256:
            expected = f"{size:,} bytes with sha256" if size else "sha256"
            raise DataError(
                f"{url} gave another file: expected {expected} {sha256}, "
                f"found {received:,} bytes with {digest.hexdigest()}; nothing was kept, {instead}"
            )
