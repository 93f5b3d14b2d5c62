"""A miniature of ILSVRC: drawn pictures of six classes, to be laid out in any way."""

import io
import os
import sys
import tarfile
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DATA = os.environ.get("ALEXNET_DATA")
LISTS = Path(os.environ.get("ALEXNET_IMAGENET_META", f"{DATA}/imagenet-meta"))  # the published lists, which are text
# Two of them are called crane; the ILSVRC ids are in another order than the WordNet ids, as in the true devkit.
WNIDS = ["n01440764", "n02012849", "n02105855", "n03126707", "n03710637", "n15075141"]
ILSVRC_IDS = {"n01440764": 449, "n02012849": 1000, "n02105855": 1, "n03126707": 7, "n03710637": 900, "n15075141": 12}
POSITIONS = {"n01440764": 0, "n02012849": 134, "n02105855": 230, "n03126707": 517, "n03710637": 638, "n15075141": 999}


def draw(name):
    """Draw a JPEG that depends on its name alone."""
    chance = np.random.default_rng(list(name.encode()))
    stream = io.BytesIO()
    Image.fromarray(chance.integers(0, 256, (10, 12, 3), np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def tar(path, files, mode="w"):
    """Write a tar of names and bytes."""
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def packed(files):
    """Write a tar into bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return stream.getvalue()


class Miniature:
    """Pictures by name: of `train` in classes, of `val` (and `test`) flat with a class each, in a mixed order."""

    def __init__(self, year=2012):
        self.year = year
        self.train = {wnid: [f"{wnid}_{number}.JPEG" for number in (10, 9, 100)] for wnid in WNIDS}
        self.flat = {}
        for split, order in (("val", [3, 0, 5, 1, 1, 4, 2, 0, 2, 4, 5, 3]), ("test", [5, 4, 3, 2, 1, 0])):
            names = [f"ILSVRC{year}_{split}_{number:08}.JPEG" for number in range(1, len(order) + 1)]
            self.flat[split] = dict(zip(names, (WNIDS[label] for label in order), strict=True))
        self.val = self.flat["val"]

    def unpacked_train(self, folder):
        for wnid, names in self.train.items():
            (folder / wnid).mkdir(parents=True)
            for name in names:
                (folder / wnid / name).write_bytes(draw(name))

    def unpacked_val(self, folder, flat=False):
        for name, wnid in self.val.items():
            file = folder / name if flat else folder / wnid / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(draw(name))

    def tar_of_tars(self, path):
        inner = {f"{wnid}.tar": packed({name: draw(name) for name in names}) for wnid, names in self.train.items()}
        return tar(path, inner)

    def tar_of(self, path, split, folder=""):
        return tar(path, {folder + name: draw(name) for name in self.flat[split]})

    def ids(self, split="val"):
        return "".join(f"{ILSVRC_IDS[wnid]}\n" for wnid in self.flat[split].values())

    def devkit(self, path, top="ILSVRC2012_devkit_t12"):
        files = {
            f"{top}/readme.txt": b"text",
            f"{top}/data/meta.mat": b"six classes",
            f"{top}/data/ILSVRC{self.year}_validation_ground_truth.txt": self.ids().encode(),
        }
        return tar(path, files, "w:gz")

    def positions(self, before="val.zip@/"):
        return "".join(f"{before}{name} {POSITIONS[wnid]}\n" for name, wnid in self.val.items())


@pytest.fixture
def miniature():
    return Miniature()


@pytest.fixture
def matlab(monkeypatch):
    """Stand for scipy, which tells what the miniature's `meta.mat` holds: six classes and an ancestor of them."""

    def loadmat(stream, squeeze_me):
        assert squeeze_me
        if stream.read() != b"six classes":
            raise ValueError("Unknown mat file type")
        fields = [(name, object) for name in ("ILSVRC2012_ID", "WNID", "words", "num_children")]
        rows = [(number, wnid, f"word of {wnid}, another", 0) for wnid, number in ILSVRC_IDS.items()]
        return {"synsets": np.array([*rows, (1001, "n00001740", "entity", 6)], fields)}

    module = types.ModuleType("scipy.io")
    module.loadmat = loadmat
    monkeypatch.setitem(sys.modules, "scipy", types.ModuleType("scipy"))
    monkeypatch.setitem(sys.modules, "scipy.io", module)


@pytest.fixture
def no_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
