import io
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from alexnet.data import member as member_module
from alexnet.data.archives import index
from alexnet.data.decode import UnreadablePicture
from alexnet.data.member import Member, Window


def tar_of(path, contents):
    with tarfile.open(path, "w") as archive:
        for name, data in contents.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def zip_of(path, contents, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


CONTENTS = {f"{number}.jpg": bytes([number]) * (100 + 999 * number) for number in range(8)}


@pytest.mark.parametrize("kind", ["tar", "stored", "deflated"])
def test_members_are_read_in_any_order_by_any_thread(tmp_path, kind):
    path = tmp_path / "archive"
    archive = {
        "tar": lambda: tar_of(path, CONTENTS),
        "stored": lambda: zip_of(path, CONTENTS, zipfile.ZIP_STORED),
        "deflated": lambda: zip_of(path, CONTENTS),
    }[kind]()
    backwards = list(reversed(index(archive)))
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip([one.name for one in backwards], pool.map(Member.read, backwards), strict=True))
    assert found == CONTENTS


def test_a_changed_byte_in_a_zip_is_found(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"1.jpg": b"picture" * 9}, zipfile.ZIP_STORED)
    data = archive.read_bytes()
    archive.write_bytes(data.replace(b"picture", b"pictura", 1))
    with pytest.raises(UnreadablePicture, match="damaged in its archive: other bytes than the archive states"):
        index(archive)[0].read()


def test_a_zip_that_lies_about_sizes_is_refused_without_filling_the_memory(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"1.jpg": bytes(5_000_000)})
    honest = index(archive)[0]
    small = Member(honest.archive, honest.name, honest.offset, 1000, honest.packed, deflated=True, crc=honest.crc)
    with pytest.raises(UnreadablePicture, match="other bytes than the archive states"):
        small.read()


def test_broken_compression_is_a_reason(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"1.jpg": bytes(range(256)) * 20})
    data = bytearray(archive.read_bytes())
    data[40:60] = b"\xff" * 20
    archive.write_bytes(data)
    with pytest.raises(UnreadablePicture, match="cannot be read"):
        index(archive)[0].read()


def test_a_member_whose_header_is_gone_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"1.jpg": b"1", "2.jpg": b"2"})
    data = archive.read_bytes()
    second = data.index(b"PK\x03\x04", 4)
    archive.write_bytes(data[:second] + b"XXXX" + data[second + 4 :])
    with pytest.raises(UnreadablePicture, match="no header of a member where the archive states it"):
        index(archive)[1].read()


def test_a_huge_member_is_refused_before_it_is_read(tmp_path, monkeypatch):
    archive = tar_of(tmp_path / "a.tar", {"1.jpg": bytes(2000)})
    monkeypatch.setattr(member_module, "MAX_BYTES", 1999)
    with pytest.raises(UnreadablePicture, match="file of 2,000 bytes, more than 1,999"):
        index(archive)[0].read()


def test_an_archive_that_was_cut_or_taken_away_since_is_a_reason(tmp_path):
    archive = tar_of(tmp_path / "a.tar", {"1.jpg": bytes(2000)})
    one = index(archive)[0]
    archive.write_bytes(archive.read_bytes()[:1000])
    with pytest.raises(UnreadablePicture, match="damaged in its archive"):
        one.read()
    archive.unlink()
    with pytest.raises(UnreadablePicture, match=r"cannot be read \(No such file or directory\)"):
        one.read()


def test_a_window_is_a_file_of_its_own():
    window = Window(io.BytesIO(b"0123456789"), 3, 4)
    assert window.read() == b"3456"
    assert window.seek(-2, io.SEEK_END) == 2
    assert window.read(9) == b"56"
    assert window.seek(1) == 1
    assert window.seek(1, io.SEEK_CUR) == 2
    assert window.seek(9) == 9
    assert window.read() == b""
    with pytest.raises(ValueError, match="before the beginning"):
        window.seek(-1)
