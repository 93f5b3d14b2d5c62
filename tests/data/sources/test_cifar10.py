import gzip
import hashlib
import io
import os
import pickle
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from alexnet.data.preparation import prepare
from alexnet.data.sources import cifar10
from alexnet.data.sources.cifar10 import Cifar10
from alexnet.errors import AlexNetError, DataError, UsageError

PER_BATCH = 20


def batch(number):
    chance = np.random.default_rng(number)
    return {
        b"batch_label": b"made",
        b"labels": [(number + i) % 10 for i in range(PER_BATCH)],
        b"data": chance.integers(0, 256, (PER_BATCH, 3072), np.uint8),
        b"filenames": [f"{number}_{i}.png".encode() for i in range(PER_BATCH)],
    }


def publish(monkeypatch, folder, contents):
    """Write batches, and make theirs the official digests."""
    folder.mkdir(parents=True, exist_ok=True)
    official = {}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
        split = "test" if name == "test_batch" else "train"
        official[name] = (split, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())
    monkeypatch.setattr(cifar10, "BATCHES", official)
    monkeypatch.setattr(cifar10, "BATCH_IMAGES", PER_BATCH)
    return folder


@pytest.fixture
def made():
    """Hold the seven made batches by name."""
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    return {name: batch(number) for number, name in enumerate(names)}


@pytest.fixture
def folder(tmp_path, monkeypatch, made):
    """Lay them out as the official folder."""
    contents = {name: pickle.dumps(content, protocol=3) for name, content in made.items()}
    return publish(monkeypatch, tmp_path / cifar10.FOLDER, contents)


def pack(folder, archive, mode="w:gz"):
    with tarfile.open(archive, mode) as members:
        for name in sorted(cifar10.BATCHES, reverse=True):  # the official archive is in no order either
            members.add(folder / name, f"{cifar10.FOLDER}/{name}")
        link = tarfile.TarInfo(f"{cifar10.FOLDER}/data_batch_1")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        members.addfile(link)
    return archive


def check(examples, made):
    expected = [(name, i) for name in made for i in range(PER_BATCH)]
    for example, (name, i) in zip(examples, expected, strict=True):
        assert example.label == made[name][b"labels"][i]
        assert example.name == made[name][b"filenames"][i].decode()
        assert example.split == ("test" if name == "test_batch" else "train")
        red_green_blue = made[name][b"data"][i].reshape(3, 32, 32)
        for channel in range(3):
            np.testing.assert_array_equal(example.picture[:, :, channel], red_green_blue[channel])


def test_pictures_come_in_the_order_of_the_files(folder, made):
    source = Cifar10(folder)
    check(list(source.examples()), made)
    assert source.splits == {"train": 5 * PER_BATCH, "test": PER_BATCH}
    assert source.classes[3] == "cat"


def test_the_parent_folder_will_do(folder, made):
    check(list(Cifar10(folder.parent).examples()), made)


@pytest.mark.parametrize(("name", "mode"), [("cifar-10-python.tar.gz", "w:gz"), ("copy.tar", "w")])
def test_the_archive_is_read_in_place(folder, made, tmp_path, name, mode):
    (tmp_path / "elsewhere").mkdir()
    archive = pack(folder, tmp_path / "elsewhere" / name, mode)
    check(list(Cifar10(archive).examples()), made)
    assert [file.name for file in archive.parent.iterdir()] == [name]


def test_folder_and_archive_give_the_same_store(folder, tmp_path):
    archive = pack(folder, tmp_path / "cifar-10-python.tar.gz")
    digests = {prepare("cifar10", place, tmp_path / f"{n}.store").digest for n, place in enumerate([folder, archive])}
    assert len(digests) == 1


def test_a_missing_batch_is_named(folder):
    (folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"data_batch_3 is missing: expected [0-9,]+ bytes with md5 [0-9a-f]{32}"):
        Cifar10(folder)


def test_a_torn_batch_is_named_with_what_was_expected_and_found(folder):
    data = (folder / "data_batch_2").read_bytes()
    (folder / "data_batch_2").write_bytes(data[:1000])
    with pytest.raises(DataError, match=f"data_batch_2 is torn: expected {len(data):,} bytes, found 1,000"):
        Cifar10(folder)


def test_one_changed_byte_is_found_before_anything_is_unpickled(folder, monkeypatch, tmp_path):
    data = bytearray((folder / "test_batch").read_bytes())
    data[5000] ^= 1
    (folder / "test_batch").write_bytes(data)
    with pytest.raises(DataError, match=r"test_batch is not the official file: expected .* with md5 .*, found .* with"):
        prepare("cifar10", folder, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99])
def test_a_torn_archive_is_named_and_nothing_is_left(folder, tmp_path, share):
    data = pack(folder, tmp_path / "whole.tar.gz").read_bytes()
    torn = tmp_path / "cifar-10-python.tar.gz"
    torn.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"cifar-10-python.tar.gz"):
        prepare("cifar10", torn, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_an_archive_of_something_else_is_refused(folder, tmp_path):
    archive = tmp_path / "other.tar.gz"
    with tarfile.open(archive, "w:gz") as members:
        members.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    with pytest.raises(DataError, match=r"other.tar.gz has no data_batch_1"):
        list(Cifar10(archive).examples())
    archive.write_bytes(gzip.compress(b"no archive" * 1000))
    with pytest.raises(DataError, match=r"other.tar.gz is torn, or no archive"):
        list(Cifar10(archive).examples())


class Gadget:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path, monkeypatch, made):
    monkeypatch.chdir(tmp_path)
    contents = {name: pickle.dumps({**content, b"more": Gadget()}, protocol=3) for name, content in made.items()}
    folder = publish(monkeypatch, tmp_path / "hostile", contents)
    with pytest.raises(DataError, match=r"mkdir is not allowed in a batch"):
        list(Cifar10(folder).examples())
    assert not Path("harm").exists()


@pytest.mark.parametrize("place", ["nowhere", "empty", "file"])
def test_a_place_without_cifar10_is_refused(tmp_path, place):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=rf"{place}.*cifar-10-python.tar.gz"):
        Cifar10(tmp_path / place)


def test_a_path_is_wanted():
    with pytest.raises(UsageError, match="needs the path"):
        Cifar10(None)


class Server:
    """Serves one answer at a loopback address."""

    def __init__(self, monkeypatch, body, declared=None):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(declared or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:{self.server.server_port}/x")
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *error):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def body(folder, tmp_path, monkeypatch):
    """Hold an archive, and make its digest the official one."""
    data = pack(folder, tmp_path / "packed.tar.gz").read_bytes()
    monkeypatch.setattr(cifar10, "ARCHIVE_BYTES", len(data))
    monkeypatch.setattr(cifar10, "ARCHIVE_SHA256", hashlib.sha256(data).hexdigest())
    return data


def test_an_archive_that_is_not_there_is_downloaded(body, tmp_path, monkeypatch, made):
    with Server(monkeypatch, body):
        source = Cifar10(tmp_path / "new" / "cifar-10-python.tar.gz")
    check(list(source.examples()), made)
    assert (tmp_path / "new" / "cifar-10-python.tar.gz").read_bytes() == body


def test_a_download_into_a_folder_is_made_on_demand(body, tmp_path, monkeypatch, made):
    with Server(monkeypatch, body):
        check(list(Cifar10(tmp_path / "new", download=True).examples()), made)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["cifar-10-python.tar.gz"]


@pytest.mark.parametrize("fault", ["other", "short", "long", "cut"])
def test_a_wrong_download_is_refused_and_not_kept(body, tmp_path, monkeypatch, fault):
    sent = {"other": body[:-1] + b"?", "short": body[:-1], "long": body + b"more", "cut": body[:100]}[fault]
    server = Server(monkeypatch, sent, declared=len(body) if fault == "cut" else None)
    with server, pytest.raises(AlexNetError, match=r"put it at .*cifar-10-python.tar.gz"):
        Cifar10(tmp_path / "new" / "cifar-10-python.tar.gz")
    assert list((tmp_path / "new").iterdir()) == []


def test_without_a_network_one_line_says_what_to_fetch(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "URL", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    with pytest.raises(AlexNetError, match=r"cannot download http.*Connection refused.*put it at .*tar.gz") as caught:
        Cifar10(tmp_path / "cifar-10-python.tar.gz")
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


DATA = Path(os.environ.get("ALEXNET_DATA", "none"))


@pytest.mark.skipif(not (DATA / cifar10.FOLDER).is_dir(), reason="ALEXNET_DATA names no folder with the real CIFAR-10")
def test_the_real_cifar10_is_read_whole(tmp_path):
    store = prepare("cifar10", DATA, tmp_path / "store")
    assert {name: len(split) for name, split in store.splits.items()} == {"train": 50_000, "test": 10_000}
    for name, each in (("train", 5000), ("test", 1000)):
        assert np.bincount(store.splits[name].labels).tolist() == [each] * 10
    np.testing.assert_allclose(store.statistics.mean, [125.307, 122.950, 113.865], atol=1e-3)
    np.testing.assert_allclose(store.statistics.deviation, [62.993, 62.089, 66.705], atol=1e-3)
    assert store.splits["train"].names[0] == "leptodactylus_pentadactylus_s_000004.png"
    assert store.side == 32


TORN = DATA / "bad-images" / "wild" / "cifar10-truncated"


@pytest.mark.skipif(not TORN.is_dir(), reason="ALEXNET_DATA names no folder with bad-images")
def test_real_torn_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="data_batch_1 is torn: expected 31,035,704 bytes, found 786,432"):
        Cifar10(TORN)
    with pytest.raises(DataError, match=r"cifar-10-python.tar.gz is torn, or no archive"):
        prepare("cifar10", TORN / "cifar-10-python.tar.gz", tmp_path / "store")
    assert not (tmp_path / "store").exists()
