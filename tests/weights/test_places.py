import hashlib
import io
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import pytest

from alexnet import download
from alexnet.errors import AlexNetError, DataError, UsageError
from alexnet.weights import places

BODY = b"weights" * 1000
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/alexnet"


@pytest.fixture
def asked(monkeypatch):
    """Serve BODY whatever address is asked for; the addresses asked for."""
    addresses = []

    def urlopen(url, timeout):
        addresses.append(url)
        return io.BytesIO(BODY)

    monkeypatch.setattr(download, "urlopen", urlopen)
    return addresses


@pytest.fixture
def published(monkeypatch):
    """Let BODY be the file that torchvision publishes."""
    monkeypatch.setattr(places, "TORCHVISION_SHA256", DIGEST)
    monkeypatch.setattr(places, "TORCHVISION_BYTES", len(BODY))


def test_a_path_is_itself(tmp_path):
    (tmp_path / "w.pth").touch()
    assert places.local(str(tmp_path / "w.pth")) == tmp_path / "w.pth"
    assert places.local(tmp_path) == tmp_path
    with pytest.raises(UsageError, match=r"w.npy does not exist: give torchvision, .* a run, .*\.safetensors"):
        places.local(tmp_path / "w.npy")


def test_a_folder_with_a_config_file_is_pretrained_unless_it_is_a_run(tmp_path):
    assert not places.is_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert places.is_pretrained(tmp_path)
    assert not places.is_pretrained(tmp_path / "config.json")
    (tmp_path / "architecture.json").write_text("{}")
    assert not places.is_pretrained(tmp_path)


def test_torchvisions_file_is_fetched_once(published, asked, cache):
    assert places.local("torchvision") == places.local("torchvision") == cache / "alexnet-owt-7be5be79.pth"
    assert (cache / "alexnet-owt-7be5be79.pth").read_bytes() == BODY
    assert asked == ["https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"]


def test_the_digest_of_torchvisions_file_is_the_one_in_its_name():
    assert places.TORCHVISION_SHA256.startswith("7be5be79")
    assert len(places.TORCHVISION_SHA256) == 64


def test_without_the_variable_the_cache_lies_at_home(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert places.cache_folder() == Path("/home/somebody/.cache/alexnet")


def test_without_a_network_one_line_says_what_to_fetch_and_where_to_put_it(monkeypatch, cache):
    def urlopen(url, timeout):
        raise URLError("Name or service not known")

    monkeypatch.setattr(download, "urlopen", urlopen)
    with pytest.raises(
        AlexNetError,
        match=rf"cannot download https://download.pytorch.org/.*pth \(Name or service .*\): .*put it at {cache}/",
    ) as caught:
        places.local("torchvision")
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_another_file_in_the_cache_is_refused_with_its_name(published, asked, cache):
    cache.mkdir(parents=True)
    (cache / "alexnet-owt-7be5be79.pth").write_bytes(BODY[:-1])
    with pytest.raises(DataError, match=r"alexnet-owt-7be5be79.pth is not the file of https.*delete it to fetch it"):
        places.local("torchvision")
    assert asked == []


def test_an_address_with_its_digest_is_fetched_once(asked, cache):
    source = f"https://example.org/some/model.pth?download=1#sha256={DIGEST.upper()}"
    path = places.local(source)
    assert path == places.local(source) == cache / f"{DIGEST[:16]}-model.pth"
    assert path.read_bytes() == BODY
    assert asked == ["https://example.org/some/model.pth?download=1"]


@pytest.mark.parametrize("end", ["", "/", "/..", "/a/%2e%2e%2f..", "/?x=/../y", "/" + "long" * 100])
def test_no_address_leads_out_of_the_cache(asked, cache, end):
    path = places.local(f"https://example.org{end}#sha256={DIGEST}")
    assert path.resolve().parent == cache.resolve()
    assert path.is_file()


def test_an_address_that_gives_another_file_is_refused_and_nothing_kept(asked, cache):
    with pytest.raises(
        DataError, match=rf"gave another file: expected sha256 {'0' * 64}, found 7,000 bytes with {DIGEST}"
    ):
        places.local(f"https://example.org/model.pth#sha256={'0' * 64}")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "way_out"),
    [
        ("https://example.org/model.pth", "lacks its digest: add #sha256= and the file's 64 hexadecimal digits"),
        ("https://example.org/model.pth#sha256=abc", "give https://…#sha256= and 64 digits"),
        (f"http://example.org/model.pth#sha256={DIGEST}", "give https://…#sha256= and 64 digits"),
        (f"ftp://example.org/model.pth#sha256={DIGEST}", "give https://"),
        ("file:///etc/passwd", "give https://"),
    ],
)
def test_other_addresses_are_refused_with_the_way_out(asked, source, way_out):
    with pytest.raises(UsageError, match=way_out):
        places.local(source)
    assert asked == []


@pytest.mark.parametrize(("source", "revision"), [("hub:owner/some-name", None), ("hub:owner/some-name@v1.0", "v1.0")])
def test_three_files_of_one_revision_are_fetched_from_the_hub(monkeypatch, tmp_path, source, revision):
    calls = []

    def snapshot_download(*args, **options):
        calls.append((args, options))
        return str(tmp_path)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    assert places.local(source) == tmp_path
    files = ["config.json", "model.safetensors", "statistics.safetensors"]
    assert calls == [(("owner/some-name",), {"revision": revision, "allow_patterns": files})]


def test_the_hubs_own_package_takes_what_it_is_given(monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        AlexNetError, match=r"cannot fetch hub:owner/name \(.*\): check the name and the netw"
    ) as caught:
        places.local("hub:owner/name")
    assert "\n" not in str(caught.value)


def test_without_the_hubs_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(AlexNetError, match=r'hub:owner/name needs huggingface-hub: pip install "alexnet\[hub\]"'):
        places.local("hub:owner/name")


@pytest.mark.parametrize("source", ["hub:", "hub:name", "hub:a/b/c", "hub:a/b@", "hub:../b c"])
def test_what_is_no_name_on_the_hub_is_refused(source):
    with pytest.raises(UsageError, match="no name on the Hub: give hub:OWNER/NAME"):
        places.local(source)
