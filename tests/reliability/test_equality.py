"""Equal runs are equal to the last bit: in fresh processes, from stores made by any number of workers, anywhere."""

import hashlib
import os
import zlib

import numpy as np
import pytest

from alexnet.data.chance import Chance, order

SLOW = pytest.mark.slow
# Where the compiled kernels lie: without them PyTorch's sum in another order.
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
# What surrounds a process and must not matter: the order of sets, the clock's zone, language and decimal comma, names.
SURROUNDINGS = [
    {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "2", "TZ": "America/St_Johns", "LC_ALL": "de_DE.UTF-8"},
    {"PYTHONHASHSEED": "3", "COLUMNS": "40", "HOME": "/proc/nowhere", "XDG_CACHE_HOME": CACHE, "MPLBACKEND": "agg"},
    {"PYTHONHASHSEED": "random", "PYTHONOPTIMIZE": "1", "TMPDIR": "/dev/shm"},
    {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "tr_TR.UTF-8"},
]


@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=SLOW) for number in range(1, 5))])
def test_the_same_command_in_a_fresh_process_ends_the_same(python_alexnet, whole, training, hashing, tmp_path, number):
    done = python_alexnet("train", *training, "--run", f"run {number}", **SURROUNDINGS[number])
    assert done.returncode == 0, done.stderr
    assert hashing.end_of(tmp_path / f"run {number}") == whole.end


def test_another_seed_ends_otherwise(alexnet, whole, training, hashing, tmp_path):
    """Else the hash would not tell runs apart."""
    assert alexnet("train", *training, "--seed", "1", "--run", "other").code == 0
    assert hashing.end_of(tmp_path / "other") != whole.end


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, launch, photos):
    """A store by the number of its workers, all of the same photographs."""
    folder = tmp_path_factory.mktemp("stores")
    for workers in (0, 1, 2, 4):
        words = ("prepare", "folder", photos, f"by-{workers}", "--side", "32", "--workers", workers)
        assert launch(*words, cwd=folder).wait().code == 0
    return {workers: folder / f"by-{workers}" for workers in (0, 1, 2, 4)}


def digest_of_folder(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


@pytest.mark.parametrize("workers", [0, 2, 4])
def test_the_number_of_workers_changes_no_byte_of_a_store(prepared, workers):
    assert digest_of_folder(prepared[workers]) == digest_of_folder(prepared[1])


def test_the_number_of_workers_changes_no_weight(alexnet, prepared, training, hashing, tmp_path):
    ends = set()
    for workers, store in prepared.items():
        assert alexnet("train", store, *training[1:], "--run", f"run-{workers}").code == 0
        ends.add(hashing.end_of(tmp_path / f"run-{workers}"))
    assert len(ends) == 1


# The order of the pictures and what chance chooses for each are whole numbers, the same on every machine and for ever.

MASK = 2**64 - 1


def mixed(x):
    """Splitmix64 (Steele, Lea, Flood 2014) by Python's own whole numbers."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def bits(purpose, seed, epoch, index, column=0):
    key = mixed(epoch ^ mixed(seed ^ zlib.crc32(purpose.encode())))
    return mixed(mixed(index ^ key) ^ mixed(column))


SEEDS = (0, 1, 2**63 - 1)
PURPOSES = ("order", "layers", "crop", "crop or centre", "crop shape", "mirror", "rotation", "colour", "colour or not")
ORDERS = "a7905aaccc46f6b0f610fcc3d2c1204a7823fc28e09ffac3536e957cce597fb4"
CHOICES = "6fe4aea5f45c41cfa8b2ea67f0c0a8666d7570c61d1da8f8a67229596235512e"


def test_the_order_of_pictures_is_the_one_for_ever():
    assert order(10, 0, 0).tolist() == [9, 6, 0, 3, 7, 8, 5, 4, 1, 2]
    digest = hashlib.sha256()
    for pictures in (1, 48, 1000):
        for seed in SEEDS:
            for epoch in (0, 1, 89):
                found = order(pictures, seed, epoch)
                wanted = sorted(range(pictures), key=lambda index: bits("order", seed, epoch, index))
                assert found.tolist() == wanted
                digest.update(found.astype("<i8").tobytes())
    assert digest.hexdigest() == ORDERS


def test_what_chance_chooses_is_the_same_for_ever():
    digest = hashlib.sha256()
    places = np.array([0, 1, 7, 1_281_166, 2**40])
    for purpose in PURPOSES:
        for seed in SEEDS:
            chance = Chance(seed, 5, places)
            found = chance.bits(purpose, 3)
            assert found.tolist() == [
                [bits(purpose, seed, 5, index, column) for column in range(3)] for index in places.tolist()
            ]
            assert chance.uniform(purpose).tolist() == [[(row[0] >> 11) / 2**53] for row in found.tolist()]
            digest.update(found.astype("<u8").tobytes())
    assert digest.hexdigest() == CHOICES
