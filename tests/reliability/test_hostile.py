"""Files that want to run something, to fill the memory or to hang: all refused, by every door that takes a file.

A file comes in as weights to begin with (`train --weights`), as a network to predict with, and as the checkpoint of a
run. A canary tells whether anything in it ran; the memory of the process is measured from outside.
"""

import codecs
import ctypes
import importlib
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import tarfile
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save

CANARY = "canary"
MORE_THAN_EXPECTED = 200 * 2**20
SECONDS = 10  # that no refusal needs, on a machine that has other things to do


# Gadgets: what their pickles call when they are read.


class Calls:
    """Unpickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class SetsState:
    """Unpickles as a call of `__setstate__`, which PyTorch once allowed on any class."""

    def __reduce__(self):
        return partial, (os.system,), (os.system, (f"touch {CANARY}",), {}, {})


def touch():
    return f"touch {CANARY}"


GADGETS = {
    "os.system": lambda: Calls(os.system, touch()),
    "eval": lambda: Calls(eval, f"open('{CANARY}', 'w').close()"),
    "exec": lambda: Calls(exec, f"open('{CANARY}', 'w').close()"),
    "open": lambda: Calls(open, CANARY, "w"),
    "subprocess": lambda: Calls(subprocess.Popen, ["touch", CANARY]),
    "import": lambda: Calls(importlib.import_module, "evil"),
    "getattr": lambda: Calls(getattr, Calls(importlib.import_module, "evil"), "__name__"),
    "torch.load": lambda: Calls(torch.load, "inner.pth"),
    "numpy.load": lambda: Calls(np.load, "inner.npy", None, True),
    "setstate": SetsState,
    "ctypes": lambda: Calls(ctypes.CDLL, "./evil.so"),
    "bytearray": lambda: Calls(bytearray, 2**32),
    "codecs": lambda: doubled(30),
}


def doubled(times):
    """Unpickles as 2^times bytes: hex of hex of hex."""
    return Calls(codecs.encode, doubled(times - 1) if times else b"x", "hex")


def zipped(held):
    stream = io.BytesIO()
    torch.save(held, stream)
    return stream.getvalue()


def legacy(held):
    stream = io.BytesIO()
    torch.save(held, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def objects(held):
    stream = io.BytesIO()
    np.save(stream, np.array([held], dtype=object), allow_pickle=True)
    return stream.getvalue()


def objects_zipped(held):
    return archive({"conv1.weight.npy": objects(held)})


def archive(members, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return stream.getvalue()


def tape(members):
    """What torch.save wrote before it wrote zip files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        for name, data in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            file.addfile(about, io.BytesIO(data))
    return stream.getvalue()


def script(gadget):
    """The layout of a TorchScript archive, whose loader runs what is in it."""
    code = b"def forward(self, x):\n  return x\n"
    inside = {"data.pkl": pickle.dumps(gadget), "constants.pkl": pickle.dumps(gadget), "version": b"3\n"}
    return archive({f"m/{name}": data for name, data in (inside | {"code/__torch__.py": code}).items()})


# safetensors whose header lies.


def tensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, begin, end, kind="F32"):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def ours(**facts):
    """A file that says it is ours, of a network that it describes as it likes."""
    return save({"network.conv1.weight": torch.ones(1)}, {"alexnet": json.dumps({"format": 1, **facts})})


def nested(depth):
    return b"[" * depth + b"]" * depth


def huge_network(made):
    facts = json.loads((made / "run/architecture.json").read_text())
    facts["layers"][-1]["units"] = 10**12
    return facts


def grown(byte_count):
    """A .npy of that many zeros, compressed."""
    stream = io.BytesIO()
    pack = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with pack as file, file.open("conv1.weight.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f4", "fortran_order": False, "shape": (byte_count // 4,)}
        )
        for _ in range(byte_count >> 20):
            member.write(bytes(1 << 20))
    return stream.getvalue()


def grown_pth(byte_count):
    """A file of torch.save, packed anew with compression: a megabyte that holds a quarter of a gigabyte."""
    plain = zipfile.ZipFile(io.BytesIO(zipped({"features.0.weight": torch.zeros(byte_count // 4)})))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for member in plain.namelist():
            file.writestr(member, plain.read(member))
    return stream.getvalue()


def lying_npy(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(64)


def caffe(*varints):
    """A field of a length that is not there, in Caffe's form."""
    return bytes(varints) + b"\xff\xff\xff\xff\x7f" + bytes(50)


BYTES = {
    **{f"zip-{name}.pth": lambda made, name=name: zipped({"w": GADGETS[name]()}) for name in GADGETS},
    **{f"legacy-{name}.pth": lambda made, name=name: legacy({"w": GADGETS[name]()}) for name in ("os.system", "eval")},
    "pickle.pt": lambda made: pickle.dumps(GADGETS["os.system"](), protocol=2),
    "pickle-0.pth": lambda made: pickle.dumps(GADGETS["os.system"](), protocol=0),
    "pickle-5.safetensors": lambda made: pickle.dumps(GADGETS["eval"](), protocol=5),
    "zip.safetensors": lambda made: zipped({"conv1.weight": GADGETS["os.system"]()}),
    "pickle.caffemodel": lambda made: pickle.dumps(GADGETS["os.system"]()),
    "objects.npy": lambda made: objects(GADGETS["os.system"]()),
    "objects.npz": lambda made: objects_zipped(GADGETS["os.system"]()),
    "objects-as.safetensors": lambda made: objects(GADGETS["subprocess"]()),
    "tape.pth": lambda made: tape({"pickle": pickle.dumps(GADGETS["os.system"]()), "storages": b"", "tensors": b""}),
    "tape-outside.pth": lambda made: tape({f"../{CANARY}": b"x", f"./{CANARY}": b"x"}),
    "script.pt": lambda made: script(GADGETS["os.system"]()),
    "outside.npz": lambda made: archive({f"../{CANARY}.npy": lying_npy((1,))}),
    # Memory.
    "grows.npz": lambda made: grown(256 << 20),
    "grows.pth": lambda made: grown_pth(256 << 20),
    "expanded.pth": lambda made: zipped({"features.0.weight": torch.zeros(1).expand(200_000, 200_000)}),
    "expanded-legacy.pth": lambda made: legacy({"features.0.weight": torch.zeros(1).expand(200_000, 200_000)}),
    "lies.npy": lambda made: lying_npy((1 << 40,)),
    "lies.npz": lambda made: archive({"conv1.weight.npy": lying_npy((1 << 34,))}),
    "lies.caffemodel": lambda made: caffe(0xA2, 0x06),
    "header-of-150-MB.safetensors": lambda made: tensors(b"{" + b" " * (150 << 20)),
    "header-longer-than-file.safetensors": lambda made: tensors({}, length=1 << 40),
    "header-of-all-bits.safetensors": lambda made: tensors({}, length=2**64 - 1),
    "million-entries.safetensors": lambda made: tensors(
        b"{%s}" % b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % n for n in range(1_000_000))
    ),
    "entries-of-30-MB.safetensors": lambda made: tensors(
        b"{%s}" % b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_\\u006fffsets":[0,0]}' % n for n in range(450_000))
    ),
    "claims-a-terabyte.safetensors": lambda made: tensors({"conv1.weight": entry([1 << 38], 0, 1 << 40)}, bytes(64)),
    "huge-network.safetensors": lambda made: ours(architecture=huge_network(made), recipe={}, classes=[]),
    # Headers and facts that lie.
    "overlap.safetensors": lambda made: tensors({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)),
    "hole.safetensors": lambda made: tensors({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)),
    "backwards.safetensors": lambda made: tensors({"a": entry([1], 8, 4)}, bytes(8)),
    "too-short.safetensors": lambda made: tensors({"a": entry([4], 0, 16)}, bytes(8)),
    "too-long.safetensors": lambda made: tensors({"a": entry([1], 0, 4)}, bytes(800)),
    "negative.safetensors": lambda made: tensors({"a": entry([-1], 0, 4)}, bytes(4)),
    "overflow.safetensors": lambda made: tensors({"a": entry([2**62, 8], 0, 4)}, bytes(4)),
    "dtype.safetensors": lambda made: tensors({"a": entry([1], 0, 4, "OBJECT")}, bytes(4)),
    "twice.safetensors": lambda made: tensors(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        bytes(4),
    ),
    "no-utf-8.safetensors": lambda made: tensors(b'{"\xff\xfe": 1}'),
    "deep.safetensors": lambda made: tensors(nested(100_000)),
    "deep-facts.safetensors": lambda made: save({"network.w": torch.ones(1)}, {"alexnet": nested(100_000).decode()}),
    "instantiator.safetensors": lambda made: ours(
        architecture={"_instantiator": "os.system", "_target_": "os.system", "args": [touch()]}, recipe={}, classes=[]
    ),
    "facts-are-a-list.safetensors": lambda made: save({"a": torch.ones(1)}, {"alexnet": "[1]"}),
    "future.safetensors": lambda made: save({"a": torch.ones(1)}, {"alexnet": '{"format": 99}'}),
    # No weights at all.
    "empty.safetensors": lambda made: b"",
    "one-byte.pth": lambda made: b"\x80",
    "zeros.safetensors": lambda made: bytes(1 << 16),
    "random.safetensors": lambda made: np.random.default_rng(0).bytes(1 << 16),
    "page.pth": lambda made: b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "pointer.safetensors": lambda made: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
}
# Names in a folder that are no files: how to make them, and no end of bytes or none at all.
ODD = {
    "folder.safetensors": lambda path: path.mkdir(),
    "fifo.safetensors": lambda path: os.mkfifo(path),
    "fifo.pth": lambda path: os.mkfifo(path),
    "loop.safetensors": lambda path: path.symlink_to(path.name),
    "dangling.safetensors": lambda path: path.symlink_to("nowhere"),
    "zero.safetensors": lambda path: path.symlink_to("/dev/zero"),
    "random.pth": lambda path: path.symlink_to("/dev/urandom"),
    "unreadable-socket.safetensors": lambda path: path.symlink_to("/dev/stdin"),
}
# As a checkpoint only safetensors are taken; what else lies there is one file among many that are none.
CHECKPOINTS = [name for name in BYTES if name.endswith(".safetensors")] + ["zip-os.system.pth", "legacy-eval.pth"]


def test_there_are_at_least_24():
    assert len(BYTES) + len(ODD) >= 24


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_run, tiny_store):
    """A folder with a run, and with all that the gadgets would find if they ran."""
    here = tmp_path_factory.mktemp("hostile")
    shutil.copytree(tiny_run, here / "run")
    shutil.copytree(tiny_store, here / "store")
    (here / "evil.py").write_text(f"open('{CANARY}', 'w').close()\n")
    (here / "inner.pth").write_bytes(legacy(GADGETS["os.system"]()))
    (here / "inner.npy").write_bytes(objects(GADGETS["os.system"]()))
    (here / "picture.png").write_bytes(PICTURE)
    return here


def png():
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (40, 40)).save(stream, "PNG")
    return stream.getvalue()


PICTURE = png()


@pytest.fixture(scope="module")
def harmless(made, launch):
    """The memory that the same commands need with files that are in order."""
    lines = {
        "weights": ["train", "store", "--weights", "run/best.safetensors", *SHORT, "--run", "new"],
        "predict": ["predict", "run/best.safetensors", "picture.png"],
        "resume": ["resume", "run"],
    }
    done = {door: launch(*words, cwd=made).wait() for door, words in lines.items()}
    assert [one.code for one in done.values()] == [0, 0, 0], done
    return {door: one.peak for door, one in done.items()}


SHORT = ["--recipe", "fast", "--epochs", "1", "--batch-size", "48", "--warmup-epochs", "0", "--precision", "float32"]


@pytest.fixture
def refused(made, start, harmless):
    """Run a command on a hostile file; it must be refused without harm."""

    def check(door, *words, codes=(3,)):
        before = sorted(path.name for path in made.iterdir())
        command = start(*words, cwd=made, limits={"RLIMIT_AS": 16 << 30}, environment={"PYTHONPATH": str(made)})
        done = command.wait(SECONDS)
        assert done.code in codes, done
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1
        assert len(done.err.replace(str(made), "")) <= 500
        assert "unforeseen" not in done.err
        assert done.peak <= harmless[door] + MORE_THAN_EXPECTED
        assert not list(made.rglob(CANARY))
        assert sorted(path.name for path in made.iterdir()) == before

    return check


@pytest.fixture
def hostile(made):
    """Make a hostile file; it is removed afterwards."""
    paths = []

    def make(name, place=None):
        path = made / (place or name)
        paths.append(path)
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if name in ODD:
            ODD[name](path)
        else:
            path.write_bytes(BYTES[name](made))
        return path

    yield make
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", [*BYTES, *ODD])
def test_as_weights_to_begin_with_it_is_refused(refused, hostile, name):
    # What is no file at all may be called a wrong argument.
    hostile(name)
    refused(
        "weights", "train", "store", "--weights", name, *SHORT, "--run", "never", codes=(2, 3) if name in ODD else (3,)
    )


@pytest.mark.slow  # the reader is that of checkpoints, below
@pytest.mark.parametrize("name", [name for name in [*BYTES, *ODD] if name.endswith(".safetensors")])
def test_as_a_network_to_predict_with_it_is_refused(refused, hostile, name):
    hostile(name)
    refused("predict", "predict", name, "picture.png", codes=(2, 3) if name in ODD else (3,))


@pytest.mark.parametrize("name", [*CHECKPOINTS, *(name for name in ODD if name.endswith(".safetensors"))])
def test_as_the_only_checkpoint_of_a_run_it_is_refused(refused, hostile, made, tmp_path, name):
    shutil.rmtree(made / "broken", ignore_errors=True)
    shutil.copytree(made / "run", made / "broken")
    pointed = json.loads((made / "broken/latest.json").read_text())["checkpoint"]
    for file in (made / "broken/checkpoints").iterdir():
        file.unlink()
    hostile(name, f"broken/{pointed}")
    refused("resume", "resume", "broken")
    (made / "broken/best.safetensors").unlink()
    refused("predict", "predict", "broken", "picture.png")
    shutil.rmtree(made / "broken")
