import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from alexnet.data import plan
from alexnet.data.preparation import prepare
from alexnet.data.store import Store, canonical_json, manifest_digest, verify_store
from alexnet.errors import DataError, UsageError


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Prepare a small drawn store once."""
    path = tmp_path_factory.mktemp("stores") / "original"
    prepare("shapes", None, path, side=16, count=80)
    return path


@pytest.fixture
def path(original, tmp_path):
    """Copy it, for damage."""
    return shutil.copytree(original, tmp_path / "store")


def rewrite(path, **changes):
    """Change a manifest, and give it the digest that then is right."""
    manifest = {**json.loads((path / "manifest.json").read_text()), **changes}
    manifest["digest"] = manifest_digest(manifest)
    (path / "manifest.json").write_bytes(canonical_json(manifest))


def test_a_split_is_the_named_one_or_test(path):
    store = Store(path)
    assert (store.split().name, store.watched.name, store.split("train").name) == ("test", "val", "train")
    with pytest.raises(UsageError, match=r"has no split tset: did you mean test\?"):
        store.split("tset")
    val, test = store.splits.pop("val"), store.splits["test"]
    assert store.watched is test
    store.splits = {"train": store.splits["train"], "val": val}
    assert store.split() is val


def test_a_file_that_cannot_be_read_is_a_problem(path, monkeypatch):
    def refused(file):
        raise PermissionError(13, "Permission denied")

    store = Store(path)
    monkeypatch.setattr("alexnet.data.store.file_digest", refused)
    assert {problem["problem"] for problem in store.verify()} == {"cannot be read (Permission denied)"}


def test_an_open_store_tells_what_is_in_it(original):
    store = Store(str(original))
    assert store.path == original
    assert store.side == 16
    assert len(store.classes) == 10
    assert list(store.splits) == ["train", "val", "test"]
    train = store.splits["train"]
    assert len(train) == len(train.labels) == len(train.names) == len(train.checksums) == 60
    assert train.pictures(np.arange(60)).shape == (60, 16, 16, 3)
    assert train.labels.tolist() == [i % 10 for i in range(60)]
    assert train.names[1] == "ring-000001"


def test_opening_reads_no_pixels(original, monkeypatch):
    monkeypatch.setattr(np, "memmap", None)
    Store(original)


def test_statistics_are_those_of_numpy(original):
    store = Store(original)
    images = store.splits["train"].pictures(np.arange(60)).astype(np.float64)
    pixels = images.reshape(-1, 3)
    covariance = np.cov(pixels.T, bias=True)
    found = store.statistics
    np.testing.assert_allclose(found.mean_image, images.mean(0), rtol=1e-6)
    assert found.mean_image.dtype == np.float32
    np.testing.assert_allclose(found.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.deviation, pixels.std(0), rtol=1e-12)
    np.testing.assert_allclose(found.colour_deviations**2, np.linalg.eigvalsh(covariance)[::-1], rtol=1e-9)
    rebuilt = found.colour_axes @ np.diag(found.colour_deviations**2) @ found.colour_axes.T
    np.testing.assert_allclose(rebuilt, covariance, rtol=1e-9)
    largest = np.abs(found.colour_axes).argmax(0)
    assert (found.colour_axes[largest, range(3)] > 0).all()
    assert store.manifest["statistics"]["mean"] == found.mean.tolist()


def test_a_sound_store_verifies(original):
    assert Store(original).verify() == verify_store(original) == []


@pytest.mark.parametrize("seed", range(20))
def test_one_flipped_bit_anywhere_is_found(path, seed):
    chance = np.random.default_rng(seed)
    files = sorted(file for file in path.iterdir())
    file = files[seed % len(files)]
    data = bytearray(file.read_bytes())
    data[chance.integers(len(data))] ^= 1 << int(chance.integers(8))
    file.write_bytes(data)
    try:
        problems = verify_store(path)
    except UsageError:
        assert file.name == "manifest.json"  # so damaged that it is no manifest
        return
    assert [problem["file"].split("/")[-1] for problem in problems] == [
        file.name if file.name != "manifest.json" else "store"
    ] or (file.name in str(problems))


def test_damaged_pixels_are_named_by_their_record(path):
    file = path / "train.images-00000.u8"
    data = bytearray(file.read_bytes())
    for record in (3, 41):
        data[record * 16 * 16 * 3 + 100] ^= 255
    file.write_bytes(data)
    assert [(problem["file"], problem["record"]) for problem in Store(path).verify()] == [
        ("train.images-00000.u8", 3),
        ("train.images-00000.u8", 41),
    ]


@pytest.mark.parametrize("ending", ["labels.i64", "names.txt", "checksums.u64"])
def test_damaged_labels_names_and_checksums_are_not_used(path, ending):
    file = path / f"train.{ending}"
    data = bytearray(file.read_bytes())
    data[8] ^= 1
    file.write_bytes(data)
    attribute = {"labels.i64": "labels", "names.txt": "names", "checksums.u64": "checksums"}[ending]
    with pytest.raises(DataError, match=rf"train.{ending} is damaged"):
        getattr(Store(path).splits["train"], attribute)


def test_a_torn_store_is_not_opened(path):
    for name in ("test.images-00000.u8", "val.labels.i64", "statistics.safetensors", "report.json"):
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[:-1])
        with pytest.raises(DataError, match=rf"{name} is torn \({len(data) - 1:,} bytes, not {len(data):,}\): prepare"):
            Store(path)
        (path / name).unlink()
        with pytest.raises(DataError, match=f"{name} is missing"):
            Store(path)
        (path / name).write_bytes(data)
    assert Store(path).verify() == []


def test_damaged_statistics_are_not_used(path):
    file = path / "statistics.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(DataError, match=r"statistics.safetensors is damaged"):
        _ = Store(path).statistics


def test_another_version_is_refused_with_both_named(path):
    rewrite(path, version=99)
    with pytest.raises(DataError, match="is a store of version 99, this program reads 2: prepare it again"):
        Store(path)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_that_is_no_json_is_refused(path, text):
    (path / "manifest.json").write_bytes(text)
    with pytest.raises(DataError, match=r"manifest.json is damaged"):
        Store(path)


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"format": "other"}'])
def test_a_foreign_manifest_is_refused(path, text):
    (path / "manifest.json").write_bytes(text)
    with pytest.raises(UsageError, match=r"is not the manifest of a store"):
        Store(path)


def test_a_place_without_a_store_is_told_from_one_that_does_not_exist(tmp_path):
    with pytest.raises(UsageError, match=r"is not a store .* `alexnet prepare`"):
        Store(tmp_path)
    with pytest.raises(UsageError, match=r"none does not exist"):
        Store(tmp_path / "none")


def flips_found(path, flips):
    """Flip a random byte of a random file, each time another; how often `verify` names the file, and the record."""
    chance = np.random.default_rng(0)
    files = sorted(path.iterdir())
    starts = {
        shard["file"]: number * 7 for split in Store(path).splits.values() for number, shard in enumerate(split._shards)
    }
    ends = {name: split._ends for name, split in Store(path).splits.items()} if Store(path).records == "jpeg" else {}
    found = 0
    for number in range(flips):
        file = files[number % len(files)]
        whole = file.read_bytes()
        place, change = int(chance.integers(len(whole))), int(chance.integers(1, 256))
        data = bytearray(whole)
        data[place] ^= change
        file.write_bytes(data)
        try:
            (problem,) = verify_store(path)
        except UsageError:
            problem = {"file": "manifest.json"} if file.name == "manifest.json" else {"file": None}
        file.write_bytes(whole)
        if file.name in starts:
            start, split = starts[file.name], file.name.split(".")[0]
            record = place // (16 * 16 * 3) if not ends else int((ends[split][start : start + 7] <= place).sum())
            found += (problem["file"], problem["record"]) == (file.name, start + record)
        elif file.name == "manifest.json":
            found += "manifest.json" in str(problem) or "version" in str(problem)
        else:
            found += problem["file"] == file.name
    return found


@pytest.fixture(scope="module", params=["raw", "jpeg"])
def sharded(request, tmp_path_factory):
    """A store of eleven shards."""
    path = tmp_path_factory.mktemp("stores") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SHARD_BYTES", 7 * 16 * 16 * 3)
        prepare("shapes", None, path, side=16, count=64, records=request.param)
    return path


def test_every_flipped_byte_is_found_and_named(sharded):
    assert flips_found(sharded, 100) == 100


@pytest.mark.slow
def test_every_one_of_a_thousand_flipped_bytes_is_found_and_named(sharded):
    assert flips_found(sharded, 1000) == 1000


def test_shards_that_changed_places_or_came_from_another_store_are_found(sharded, tmp_path):
    path = shutil.copytree(sharded, tmp_path / "store")
    prepare("shapes", None, tmp_path / "other", side=16, count=64, seed=1, records=Store(path).records)
    one, two = sorted(path.glob("train.images-*"))[:2]
    one.rename(path / "x")
    two.rename(one)
    (path / "x").rename(two)
    assert {problem["file"] for problem in verify_store(path)} <= {one.name, two.name, str(path)}
    assert verify_store(path)
    shutil.copy(next((tmp_path / "other").glob("train.images-*")), one)
    assert verify_store(path)


SIDE, PICTURES = 4, 1_300_000
LARGE = """
import json, sys, time
import numpy as np
from alexnet.data.store import Store
from alexnet.data.chance import order

def memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

Store(sys.argv[1] + "-small")
before, start = memory(), time.perf_counter()
store = Store(sys.argv[1])
opened = time.perf_counter()
visits = order(len(store.splits["train"]), 0, 1)
ordered = time.perf_counter()
peak = memory()
train = store.splits["train"]
first = train.pictures(visits[:128]), train.labels[visits[:128]]
read = time.perf_counter()
told = {"open": opened - start, "order": ordered - opened, "first batch": read - ordered, "MB": peak - before}
print(json.dumps({**told, "MB with the first batch": memory() - before, "distinct": len(np.unique(visits))}))
"""


@pytest.mark.slow
def test_a_store_of_1_3_million_pictures_opens_at_once_and_is_shuffled_in_little_memory(tmp_path):
    path = tmp_path / "large"
    large_store(path, 1000)
    prepare("shapes", None, tmp_path / "large-small", side=16, count=80)
    done = subprocess.run([sys.executable, "-c", LARGE, str(path)], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["distinct"] == PICTURES
    assert told["open"] < 0.2, told
    assert told["order"] < 2, told
    assert told["MB"] < 200, told


def large_store(path, shards):
    """Write a store of 1.3 million black pictures in as many shards as ImageNet has, without preparing them."""
    path.mkdir()
    record, each = SIDE * SIDE * 3, PICTURES // shards
    black = {"bytes": each * record, "sha256": hashlib.sha256(bytes(each * record)).hexdigest()}
    entries = []
    for number in range(shards):
        file = path / f"train.images-{number:05d}.u8"
        with open(file, "wb") as stream:
            stream.truncate(each * record)
        entries.append({"file": file.name, "images": each, **black})
    small = {
        "train.labels.i64": (np.arange(PICTURES) % 1000).astype("<i8").tobytes(),
        "train.checksums.u64": bytes(8 * PICTURES),
        "train.names.txt": b"".join(b'"n%08d/n%08d_%d.JPEG"\n' % (i % 1000, i % 1000, i) for i in range(PICTURES)),
    }
    prepare("shapes", None, path.with_name("for-statistics"), side=16, count=80)
    small |= {
        name: (path.with_name("for-statistics") / name).read_bytes()
        for name in ("statistics.safetensors", "report.json")
    }
    listed = {}
    for name, data in small.items():
        (path / name).write_bytes(data)
        listed[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    train = {name: entry for name, entry in listed.items() if name.startswith("train")}
    manifest = {
        **{"format": "alexnet-store", "version": 2, "side": SIDE, "records": "raw", "counts": {"used": PICTURES}},
        "classes": [f"n{number:08d}" for number in range(1000)],
        "splits": {"train": {"images": PICTURES, "shards": entries, "files": train}},
        "files": {name: entry for name, entry in listed.items() if name not in train},
    }
    manifest["digest"] = manifest_digest(manifest)
    (path / "manifest.json").write_bytes(canonical_json(manifest))
