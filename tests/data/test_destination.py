"""Tests of alexnet.data.destination: a store replaces nothing but a store."""

from pathlib import Path

import pytest

from alexnet.data.preparation import prepare, prepare_part
from alexnet.data.store import Store
from alexnet.errors import UsageError


def test_what_is_no_store_is_not_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("text")
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("mine", "file", "link"):
        with pytest.raises(UsageError, match=f"{name} exists and is not a store"):
            prepare("shapes", None, tmp_path / name, count=80, side=16)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "link", "mine"]
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "text"


@pytest.mark.parametrize("file", ["plan.json", "manifest.json"])
@pytest.mark.parametrize("text", ['{"title": "my project"}', "", "not JSON"])
def test_files_named_as_ours_make_no_store(tmp_path, file, text):
    project = tmp_path / "project"
    (project / "notes").mkdir(parents=True)
    (project / "notes" / "ideas.txt").write_text("all of them")
    (project / file).write_text(text)
    with pytest.raises(UsageError, match="project exists and is not a store"):
        prepare("shapes", None, project, count=80, side=16)
    assert (project / "notes" / "ideas.txt").read_text() == "all of them"


@pytest.mark.parametrize("name", ["notes", "store"])
def test_folders_of_a_part_are_foreign_beside_a_store(tmp_path, name):
    path = tmp_path / "whole"
    prepare("shapes", None, path, side=16, count=40)
    (path / name).mkdir()
    with pytest.raises(UsageError, match=f"whole holds {name} beside the store, which would be lost"):
        prepare("shapes", None, path, side=16, count=40)


def test_where_a_disk_is_mounted_no_store_can_be(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "disk")
    with pytest.raises(UsageError, match=r"disk is where a disk is mounted, .*: give a folder in it"):
        prepare("shapes", None, tmp_path / "disk", count=80, side=16)


def test_the_destination_is_looked_at_before_the_source(tmp_path):
    (tmp_path / "taken").write_text("text")
    with pytest.raises(UsageError, match="taken exists and is not a store"):
        prepare("cifar10", tmp_path / "nowhere", tmp_path / "taken", download=True)


def test_what_lies_beside_a_store_in_its_folder_is_not_lost(tmp_path):
    path = tmp_path / "store"
    prepare("shapes", None, path, side=16, count=40)
    (path / "run").mkdir()
    for _ in range(2):
        with pytest.raises(UsageError, match=r"store holds run beside the store, which would be lost: move it away"):
            prepare("shapes", None, path, side=16, count=40)
    assert Store(path).verify() == []
    (path / "run").rmdir()
    prepare("shapes", None, path, side=16, count=50)


def test_a_part_replaces_neither_a_whole_store_nor_another_part(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    prepare("shapes", None, whole, side=16, count=40)
    prepare_part("shapes", None, part, (1, 2), side=16, count=40)
    with pytest.raises(UsageError, match="whole is a whole store, which would be lost"):
        prepare_part("shapes", None, whole, (1, 2), side=16, count=40)
    with pytest.raises(UsageError, match="part is part 1/2, which would be lost"):
        prepare_part("shapes", None, part, (2, 2), side=16, count=40)
    with pytest.raises(UsageError, match="part is part 1/2, which would be lost"):
        prepare("shapes", None, part, side=16, count=40)
    prepare_part("shapes", None, part, (1, 2), side=16, count=40)
    assert Store(whole).verify() == []


def test_a_store_may_be_named_by_the_folder_one_is_in_but_not_by_nothing(tmp_path, monkeypatch):
    prepare("shapes", None, tmp_path / "store", side=16, count=40)
    monkeypatch.chdir(tmp_path / "store")
    assert prepare("shapes", None, ".", side=16, count=50).path == tmp_path / "store"
    with pytest.raises(UsageError, match="the store has no name"):
        prepare("shapes", None, "", side=16, count=50)
    (tmp_path / "part").mkdir()
    monkeypatch.chdir(tmp_path / "part")
    assert prepare_part("shapes", None, ".", (1, 2), side=16, count=50).part == (1, 2)
    assert (tmp_path / "part" / "plan.json").is_file()
