"""Where weights come from: a word, an address, a name on the Hub or a path is made a path."""

import os
import re
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from alexnet.download import fetch
from alexnet.durable import file_digest
from alexnet.errors import AlexNetError, DataError, UsageError

TORCHVISION_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
TORCHVISION_BYTES = 244_408_911
TORCHVISION_SHA256 = "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"
# Files of a pretrained folder; nothing else of a Hub repository is fetched.
CONFIG, MODEL, STATISTICS = "config.json", "model.safetensors", "statistics.safetensors"

_ADDRESS = re.compile(r"(https://[^#]+)#sha256=([0-9a-fA-F]{64})")
_HUB_NAME = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def cache_folder() -> Path:
    """Give the folder that downloads are kept in: `alexnet` in $XDG_CACHE_HOME, else in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alexnet"


def is_pretrained(path: Path) -> bool:
    """Whether a pretrained folder lies there; a run counts as a run, whatever else is in its folder."""
    return (path / CONFIG).is_file() and not (path / "architecture.json").is_file()


def local(source: str | Path) -> Path:
    """Give the file or folder that a source names, fetched first where it is not on this machine.

    Args:
        source: `torchvision`; `https://…#sha256=…` with 64 hexadecimal digits; `hub:OWNER/NAME` or
            `hub:OWNER/NAME@REVISION`; or a path.

    Raises:
        UsageError: If there is no such thing, or an address lacks its digest.
        AlexNetError: If it cannot be fetched.
        DataError: If another file came, or lies in the cache.
    """
    text = str(source)
    if not text:
        raise UsageError("no weights are named: give torchvision, an address, a name on the Hub or a path")
    if text == "torchvision":
        path = cache_folder() / TORCHVISION_URL.rpartition("/")[2]
        return _fetched(TORCHVISION_URL, path, TORCHVISION_SHA256, TORCHVISION_BYTES)
    if text.startswith("hub:"):
        return _from_hub(text)
    if isinstance(source, str) and "://" in source:
        return _from_address(source)
    path = Path(source)
    if not path.exists():
        raise UsageError(
            f"{path} does not exist: give torchvision, https://…#sha256=…, hub:OWNER/NAME, a run, a pretrained folder "
            "or a file (.pth .npz .npy .caffemodel .safetensors)"
        )
    return path


def _from_address(source: str) -> Path:
    """Fetch a file by an address that says what it must be."""
    match = _ADDRESS.fullmatch(source)
    if not match and source.startswith("https://") and "#" not in source:
        raise UsageError(
            f"{source} lacks its digest: add #sha256= and the file's 64 hexadecimal digits, as its authors or "
            "sha256sum give them"
        )
    if not match:
        raise UsageError(f"{source} is no address to fetch weights from: give https://…#sha256= and 64 digits")
    url, digest = match[1], match[2].lower()
    name = re.sub(r"[^\w.-]", "_", Path(urlsplit(url).path).name)[-80:] or "weights"
    return _fetched(url, cache_folder() / f"{digest[:16]}-{name}", digest, None)


def _fetched(url: str, path: Path, sha256: str, size: int | None) -> Path:
    """Give a published file out of the cache, where it is put once."""
    if not path.is_file():
        fetch(url, path, sha256, size)
    elif (found := file_digest(path)) != sha256:
        raise DataError(
            f"{path} is not the file of {url}: expected sha256 {sha256}, found {found}; delete it to fetch it again"
        )
    return path


def _from_hub(source: str) -> Path:
    """Fetch the three files of a pretrained folder of one revision."""
    match = _HUB_NAME.fullmatch(source.removeprefix("hub:"))
    if not match:
        raise UsageError(f"{source} is no name on the Hub: give hub:OWNER/NAME, or hub:OWNER/NAME@REVISION")
    try:
        hub = import_module("huggingface_hub")
    except ImportError as error:
        raise AlexNetError(f'{source} needs huggingface-hub: pip install "alexnet[hub]"') from error
    try:
        folder = hub.snapshot_download(match[1], revision=match[2], allow_patterns=[CONFIG, MODEL, STATISTICS])
    except Exception as error:  # the hub's, the network's and the disk's errors have no common class
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise AlexNetError(
            f"cannot fetch {source} ({reason}): check the name and the network, or fetch its files by other means "
            "and give their folder"
        ) from error
    return Path(folder)
