import hashlib
import io
from http.client import IncompleteRead

import pytest

from alexnet import download
from alexnet.errors import AlexNetError, DataError

BODY = bytes(range(256)) * 5000
DIGEST = hashlib.sha256(BODY).hexdigest()
URL = "https://example.org/file"


@pytest.fixture
def serve(monkeypatch):
    """Answer every request with these bytes, or with what they raise when they are read."""

    def arrange(body, fault=None):
        class Response(io.BytesIO):
            def read(self, size=-1):
                piece = super().read(size)
                if fault and not piece:
                    raise fault
                return piece

        monkeypatch.setattr(download, "urlopen", lambda url, timeout: Response(body))

    return arrange


@pytest.mark.parametrize("size", [len(BODY), None])
def test_the_right_file_gets_its_name(serve, tmp_path, size):
    serve(BODY)
    download.fetch(URL, tmp_path / "new/folder/file", DIGEST, size)
    assert (tmp_path / "new/folder/file").read_bytes() == BODY
    assert [file.name for file in (tmp_path / "new/folder").iterdir()] == ["file"]


@pytest.mark.parametrize("size", [len(BODY), None])
@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"more", BODY[:-1] + b"?", b""])
def test_another_file_is_refused_and_nothing_kept(serve, tmp_path, size, body):
    serve(body)
    expected = f"{len(BODY):,} bytes with sha256" if size else "sha256"
    with pytest.raises(DataError, match=rf"gave another file: expected {expected} {DIGEST}, .*put it at .*file"):
        download.fetch(URL, tmp_path / "file", DIGEST, size)
    assert list(tmp_path.iterdir()) == []


def test_reading_ends_soon_after_the_size_that_is_known(serve, tmp_path):
    serve(bytes(50_000_000))
    with pytest.raises(DataError, match=r"found 1,048,576 bytes"):
        download.fetch(URL, tmp_path / "file", DIGEST, 1000)


def test_a_file_of_unknown_size_does_not_fill_the_disk(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MOST_BYTES", 1000)
    serve(bytes(50_000_000))
    with pytest.raises(DataError, match=r"found 1,048,576 bytes"):
        download.fetch(URL, tmp_path / "file", DIGEST)


@pytest.mark.parametrize("fault", [ConnectionResetError("reset"), IncompleteRead(b"", 10), TimeoutError("timed out")])
def test_a_connection_that_breaks_is_told_in_one_line(serve, tmp_path, fault):
    serve(BODY[:100], fault)
    with pytest.raises(AlexNetError, match=r"https://example.org/file broke off after 100 bytes .*put it at") as caught:
        download.fetch(URL, tmp_path / "file", DIGEST, len(BODY))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["https://127.0.0.1:9/x", "https://[bad/x", "https://127.0.0.1:port/x"])
def test_an_address_that_cannot_be_reached_is_told_in_one_line(tmp_path, url):
    with pytest.raises(
        AlexNetError, match=r"cannot download https://.*: fetch it by other means and put it at"
    ) as caught:
        download.fetch(url, tmp_path / "file", DIGEST)
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []
