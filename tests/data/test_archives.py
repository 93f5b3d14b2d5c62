import bz2
import contextlib
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alexnet.data import archives
from alexnet.data.archives import index, members, read
from alexnet.errors import DataError

FILES = {"a/1.jpg": b"first", "a/2.jpg": b"second" * 300, "b/1.jpg": b""}


def tar_bytes(contents, links=()):
    """Pack files; `links` are ready headers."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, data in contents.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
        for link in links:
            archive.addfile(link)
    return whole.getvalue()


def zip_bytes(contents, method=zipfile.ZIP_DEFLATED):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return whole.getvalue()


def header(name, kind, target=""):
    one = tarfile.TarInfo(name)
    one.type, one.linkname = kind, target
    return one


def put(path, data):
    path.write_bytes(data)
    return path


def found(place, skipped=None):
    return {one.name: one.read() for one in index(place, skipped)}


@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_files_are_found_by_name_and_folders_are_none(tmp_path, pack):
    place = put(tmp_path / "archive", pack({"./b/1.jpg": b"", "a/2.jpg": FILES["a/2.jpg"], "a//1.jpg": b"first"}))
    assert found(place) == FILES
    assert [one.name for one in index(place)] == sorted(FILES)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["archive"]


@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_an_archive_inside_an_archive_is_read_in_its_place(tmp_path, pack):
    inner = {"inner.tar": tar_bytes(FILES), "inner.zip": zip_bytes(FILES)}
    packed = pack(inner) if pack is tar_bytes else zip_bytes(inner, zipfile.ZIP_STORED)
    for one in index(put(tmp_path / "outer", packed)):
        assert found(one) == FILES
        assert dict(members(one)) == FILES
        assert index(one)[0].archive == tmp_path / "outer"


def test_an_archive_that_is_compressed_inside_a_zip_is_to_be_unzipped(tmp_path):
    outer = put(tmp_path / "outer.zip", zip_bytes({"train.zip": zip_bytes(FILES)}))
    with pytest.raises(DataError, match=r"outer.zip/train.zip is compressed once more: unzip it"):
        index(index(outer)[0])


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_is_read_in_one_pass_compressed_or_not(tmp_path, compress):
    place = put(tmp_path / "archive", compress(tar_bytes(FILES)))
    assert dict(members(place)) == FILES
    assert dict(members(place, lambda name: name.startswith("a/"))) == {
        name: FILES[name] for name in FILES if name[0] == "a"
    }
    with place.open("rb") as stream:
        assert dict(members(stream)) == FILES


def test_a_stream_need_not_be_seekable():
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as stream:
        stream.write(tar_bytes(FILES))
    with os.fdopen(reading, "rb") as stream:
        assert dict(members(stream)) == FILES


def test_a_compressed_tar_is_not_read_in_any_order(tmp_path):
    with pytest.raises(DataError, match=r"a.tar.gz is compressed as a whole: gunzip it first"):
        index(put(tmp_path / "a.tar.gz", gzip.compress(tar_bytes(FILES))))


HOSTILE = {
    "../out.jpg": "'..'",
    "a/../../out.jpg": "'..'",
    "/etc/out.jpg": "absolute",
    "C:/out.jpg": "absolute",
    "..\\out.jpg": "backslash",
    "a\\b.jpg": "backslash",
    "x" * 5000: "longer than",
}


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: name[:20])
@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_names_that_lead_elsewhere_are_passed_over(tmp_path, pack, name):
    place = put(tmp_path / "archive", pack({name: b"harm", **FILES}))
    for reader in (found, lambda place, skipped: dict(members(place, skipped=skipped))):
        skipped = []
        assert reader(place, skipped) == FILES
        assert [(label, HOSTILE[name] in why) for label, why in skipped] == [(name, True)]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "not a regular file"),
        (tarfile.BLKTYPE, "not a regular file"),
        (tarfile.FIFOTYPE, "not a regular file"),
    ],
)
def test_links_and_devices_are_passed_over(tmp_path, kind, why):
    links = [header("a/link.jpg", kind, "/etc/passwd"), header("", kind, "")]
    place = put(tmp_path / "archive", tar_bytes(FILES, links))
    skipped = []
    assert found(place, skipped) == FILES
    assert skipped == [("a/link.jpg", why), ("", why)]
    skipped = []
    assert dict(members(place, skipped=skipped)) == FILES
    assert skipped == [("a/link.jpg", why), ("", why)]


def test_a_sparse_file_is_passed_over(tmp_path):
    one = tarfile.TarInfo("a/hole.jpg")
    one.size = 1 << 40
    one.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.size": str(1 << 40), "GNU.sparse.map": f"{1 << 40},0"}
    one.size = 0
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(one)
    skipped = []
    assert found(put(tmp_path / "archive", whole.getvalue()), skipped) == {}
    assert skipped == [("a/hole.jpg", "a sparse file")]


def test_links_encrypted_and_strangely_packed_members_of_a_zip_are_passed_over(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        pipe = zipfile.ZipInfo("pipe.jpg")
        pipe.external_attr = 0o010666 << 16
        archive.writestr(pipe, "")
        archive.writestr("other.jpg", b"packed", zipfile.ZIP_BZIP2)
        archive.writestr("secret.jpg", b"locked")
        archive.writestr("good.jpg", b"good")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    entry = data.rindex(b"secret.jpg") - 46
    assert data[entry : entry + 4] == b"PK\x01\x02"
    data[entry + 8] |= 1  # the flag of encryption
    skipped = []
    assert found(put(tmp_path / "b.zip", bytes(data)), skipped) == {"good.jpg": b"good"}
    assert dict(skipped) == {
        "link.jpg": "a link",
        "pipe.jpg": "not a regular file",
        "other.jpg": "compressed by a method that is not read here (12)",
        "secret.jpg": "encrypted",
    }


def test_of_two_members_of_one_name_the_last_counts_as_when_unpacked(tmp_path):
    first, second = tar_bytes({"a.jpg": b"old"}), tar_bytes({"./a.jpg": b"new"})
    skipped = []
    place = put(tmp_path / "archive", first[:1024] + second)
    assert found(place, skipped) == {"a.jpg": b"new"}
    assert skipped == [("a.jpg", "a later member has the same name")]


def test_overlapping_members_of_a_zip_are_refused(tmp_path):
    data = bytearray(zip_bytes({"1.jpg": bytes(9000), "2.jpg": bytes(9000)}, zipfile.ZIP_STORED))
    second = data.rindex(b"2.jpg") - 46
    struct.pack_into("<L", data, second + 42, 10)  # where its local header is said to begin
    with pytest.raises(DataError, match=r"torn, or no archive \(2.jpg overlaps the member before it\)"):
        index(put(tmp_path / "bomb.zip", bytes(data)))


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    for pack in (tar_bytes, zip_bytes):
        place = put(tmp_path / "archive", pack(FILES))
        with pytest.raises(DataError, match="more than 2 members"):
            index(place)
        with pytest.raises(DataError, match="more than 2 members"):
            list(members(place))


def test_a_member_above_the_limit_is_passed_over(tmp_path):
    for pack in (tar_bytes, zip_bytes):
        skipped = []
        given_ = dict(members(put(tmp_path / "archive", pack(FILES)), skipped=skipped, limit=5))
        assert sorted(given_) == ["a/1.jpg", "b/1.jpg"]
        assert skipped == [("a/2.jpg", "file of 1,800 bytes, more than 5")]


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
def test_a_tar_cut_anywhere_is_refused(tmp_path, wrap):
    whole = wrap(tar_bytes(FILES))
    end = len(whole) if wrap is gzip.compress else 512 * 8  # the headers, the files; behind them, the mark of the end
    for length in [*range(0, end, 97), end - 1, end]:
        if length == len(whole):
            continue
        torn = put(tmp_path / "torn.tar", whole[:length])
        with pytest.raises(DataError, match=r"torn.tar is torn, or no archive \(.+\): fetch it again"):
            list(members(torn))
        if wrap is bytes:
            with pytest.raises(DataError, match=r"torn.tar is torn, or no archive \(.+\): fetch it again"):
                index(torn)


def test_garbage_between_two_members_is_not_the_end(tmp_path):
    whole = bytearray(tar_bytes(FILES))
    whole[1024:1536] = b"garbage!" * 64  # the second header
    with pytest.raises(DataError, match="at byte 1,024"):
        index(put(tmp_path / "a.tar", bytes(whole)))


def test_an_inner_archive_that_is_torn_does_not_read_into_its_neighbour(tmp_path):
    torn = tar_bytes(FILES)[: 512 * 6]
    outer = put(tmp_path / "outer.tar", tar_bytes({"1.tar": torn, "2.tar": tar_bytes({"other": b""})}))
    with pytest.raises(DataError, match=r"outer.tar/1.tar is torn"):
        index(index(outer)[0])


def test_a_flipped_bit_in_a_compressed_tar_is_found(tmp_path):
    data = bytearray(gzip.compress(tar_bytes({"a": os.urandom(5000)}), 0))  # stored: only the checksum can tell
    data[2000] ^= 1
    with pytest.raises(DataError, match="CRC check failed"):
        list(members(put(tmp_path / "a.tar.gz", bytes(data))))


def test_a_damaged_member_that_must_be_there_names_the_archive(tmp_path):
    data = zip_bytes({"list.mat": b"list" * 9}, zipfile.ZIP_STORED).replace(b"list" * 2, b"lost" * 2, 1)
    place = put(tmp_path / "lists.zip", data)
    with pytest.raises(DataError, match=r"lists.zip/list.mat: damaged in its archive.*fetch lists.zip again"):
        read(index(place)[0])
    with pytest.raises(DataError, match=r"lists.zip/list.mat: damaged"):
        list(members(place))


def test_what_is_not_there_or_no_archive_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none.tar cannot be read \(No such file"):
        index(tmp_path / "none.tar")
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        list(members(tmp_path))
    for data in (b"", b"no archive" * 200, b"PK\x03\x04 no zip"):
        with pytest.raises(DataError, match="torn, or no archive"):
            index(put(tmp_path / "none.tar", data))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.sampled_from(["tar", "zip"]),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_whatever_is_changed_in_an_archive_is_refused_or_read(tmp_path, which, changes):
    data = bytearray(tar_bytes(FILES)[:4608] if which == "tar" else zip_bytes(FILES))
    for place, value in changes:
        data[place % len(data)] = value
    archive = put(tmp_path / "archive", bytes(data))
    for reader in (found, lambda place: dict(members(place))):
        with contextlib.suppress(DataError):
            reader(archive)
    assert [file.name for file in tmp_path.iterdir()] == ["archive"]
