"""Tests of alexnet.cli.pictures."""

import io
import os
import shutil
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from alexnet.cli.pictures import chosen_store, picture_files
from alexnet.data.store import Store
from alexnet.errors import UsageError


@pytest.fixture
def album(photos, tmp_path):
    """A folder with pictures and what lies beside them."""
    shutil.copytree(photos / "test" / "cats", tmp_path / "album" / "b")
    shutil.copytree(photos / "test" / "cats", tmp_path / "album" / ".thumbnails")
    shutil.copy(photos / "test" / "cats" / "1.png", tmp_path / "album" / "a.png")
    return tmp_path / "album"


def below(folder):
    return [str(file.relative_to(folder)) for file in picture_files([str(folder)])]


def test_a_folder_gives_its_pictures_by_name_and_no_hidden_ones(album, capsys):
    assert below(album) == ["a.png", "b/0.jpg", "b/1.png", "b/2.webp"]
    assert capsys.readouterr().err == ""


def test_what_is_no_picture_in_a_folder_is_skipped_and_counted(album, capsys):
    for name in ("notes.txt", "b/list.csv", "movie.mp4"):
        (album / name).write_text("no picture")
    (album / "gone").symlink_to(album / "nowhere")
    (album / "again.png").symlink_to(album / "a.png")
    shutil.copy(album / "a.png", album / "without ending")
    assert below(album) == ["a.png", "b/0.jpg", "b/1.png", "b/2.webp", "without ending"]
    told = capsys.readouterr().err
    assert told.startswith(f"{album}: 5 skipped (")
    assert "3 not a picture" in told
    assert "1 dangling link" in told
    assert "1 met before, by a link" in told
    assert told.count("\n") == 1


def test_what_should_be_a_picture_is_not_skipped(album):
    (album / "torn.jpg").write_bytes(b"no picture")
    assert "torn.jpg" in below(album)


def test_a_named_file_is_taken_whatever_it_is(tmp_path):
    assert picture_files(["notes.txt", str(tmp_path / "gone.jpg")]) == [Path("notes.txt"), tmp_path / "gone.jpg"]


def test_a_dash_reads_a_list_of_files_and_folders(album, monkeypatch):
    odd = os.fsencode(album) + b"/odd \xff\x0b.png"  # no UTF-8, and a line break to Python, but not to the shell
    listed = odd + b"\n\n" + os.fsencode(album / "b") + b"\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed), encoding="utf-8"))
    files = picture_files(["first.png", "-"])
    assert [os.fsencode(file) for file in files[:2]] == [b"first.png", odd]
    assert [file.name for file in files[2:]] == ["0.jpg", "1.png", "2.webp"]


def test_nothing_is_refused(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("no picture")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    for words in ([str(tmp_path)], ["-"]):
        with pytest.raises(UsageError, match=r"there is no picture: give files, a folder that holds some, or - and"):
            picture_files(words)


def test_an_empty_name_is_not_the_folder_at_hand():
    with pytest.raises(UsageError, match="an empty name is no picture"):
        picture_files([""])


def test_the_store_is_the_named_one_or_the_runs(tiny_run, tiny_store, photo_store):
    assert chosen_store(Namespace(run=tiny_run, store=None)).digest == Store(tiny_store).digest
    assert chosen_store(Namespace(run=tiny_run, store=photo_store)).digest == Store(photo_store).digest
