"""Read weights from wherever they are, in whatever form: the function `read`."""

from collections.abc import Callable
from pathlib import Path

from alexnet import rotation
from alexnet.durable import file_digest
from alexnet.errors import DataError, UsageError
from alexnet.weights import caffemodel, npy, npz, pth, safetensors
from alexnet.weights.content import Found, Weights, zip_members
from alexnet.weights.places import CONFIG, MODEL, is_pretrained, local
from alexnet.weights.pretrained import read_folder

_READERS: dict[str, Callable[[Path], Found]] = {
    ".pth": pth.read,
    ".pt": pth.read,
    ".npz": npz.read,
    ".npy": npy.read,
    ".caffemodel": caffemodel.read,
    ".safetensors": safetensors.read,
}


def read(source: str | Path) -> Weights:
    """Read pretrained weights; nothing in a file can run.

    Args:
        source: `torchvision` (fetched once, 244 MB); `https://…#sha256=…`; `hub:OWNER/NAME`; the folder of a run, of
            which its best network is taken; a pretrained folder; or a file: `.pth` with torchvision's names or ours,
            `.npz`, `.caffemodel` or `.npy` of Caffe's AlexNet or CaffeNet, `.safetensors` of ours or plain.

    Raises:
        UsageError: If there is no such thing, or it is none of these.
        DataError: If it is torn, hostile, or of another network.
        AlexNetError: If it cannot be fetched.
    """
    path = local(source)
    if is_pretrained(path):
        held, digest = read_folder(path), file_digest(path / MODEL)
        found = Found(held.tensors, held.architecture, held.architecture.input, held.classes, held.statistics)
    else:
        try:
            path, found = _best_of_run(path) if path.is_dir() else (path, _reader(path)(path))
            digest = file_digest(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror or error}): restore it") from error
    return Weights(source=str(source), digest=digest, **vars(found))


def _best_of_run(folder: Path) -> tuple[Path, Found]:
    """Read the best network of a run, or the newest before there is a best."""
    if not (folder / "architecture.json").is_file():
        raise UsageError(
            f"{folder} is neither a run nor a pretrained folder (no architecture.json, no {CONFIG} in it): give one, "
            "or a file"
        )
    return rotation.best(folder, safetensors.read)


def _reader(path: Path) -> Callable[[Path], Found]:
    """Tell the form of a file by its first bytes, or by its ending where they do not tell."""
    size = path.stat().st_size
    if not path.is_file():  # a pipe would be waited for, a device has no end
        raise UsageError(f"{path} is no file: give one of {' '.join(_READERS)}")
    with open(path, "rb") as stream:
        start = stream.read(9)
    if start.startswith(b"\x93NUMPY"):
        return npy.read
    if members := zip_members(path):
        return npz.read if all(member.filename.endswith(".npy") for member in members) else pth.read
    # The old form of torch.save is a pickle; whatever it is called, that reader runs nothing of it.
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return pth.read
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") < size:
        return safetensors.read
    if not size:
        raise DataError(f"{path} is empty: fetch or save it again")
    if path.suffix.lower() not in _READERS:
        raise UsageError(f"{path} is none of the files that are read here: give one of {' '.join(_READERS)}")
    return _READERS[path.suffix.lower()]
