"""What a power cut finds: nothing is pointed at before it is on the disk, and nothing is removed before that.

No test can pull the plug; what is tested is the order in which the system is asked to write.
"""

import os
from pathlib import Path

import pytest

from alexnet.training.loop import train


@pytest.fixture
def calls(monkeypatch):
    """Every sync, rename and removal, in order, with the name it is of."""
    seen = []
    sync, replace, unlink = os.fsync, os.replace, Path.unlink

    def name(path):
        return Path(path).name.split(".tmp-")[0] + (" (temporary)" if ".tmp-" in str(path) else "")

    def record_sync(handle):
        sync(handle)
        seen.append(("sync", name(os.readlink(f"/proc/self/fd/{handle}"))))

    def record_replace(here, there):
        replace(here, there)
        seen.append(("rename", name(there)))

    def record_unlink(path, missing_ok=False):
        if path.exists():
            seen.append(("remove", name(path)))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_replace)
    monkeypatch.setattr(Path, "unlink", record_unlink)
    return seen


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells the name of an open file")
def test_each_checkpoint_is_on_the_disk_before_it_is_pointed_at(calls, tiny_store, tiny_network, tiny_recipe, tmp_path):
    train(tiny_store, tiny_network, tiny_recipe.with_changes(epochs=3), tmp_path / "run")
    begin = calls.index(("sync", ".96.safetensors (temporary)"))
    end = calls.index(("sync", ".144.safetensors (temporary)"))
    saving = [call for call in calls[begin:end] if "best" not in call[1]]
    assert saving[:6] == [
        ("sync", ".96.safetensors (temporary)"),
        ("rename", "96.safetensors"),
        ("sync", "checkpoints"),
        ("sync", ".latest.json (temporary)"),
        ("rename", "latest.json"),
        ("sync", "run"),
    ]
    # The oldest goes when the third is there, and pointed at.
    last = calls[end:]
    assert last.index(("remove", "48.safetensors")) > last.index(("rename", "latest.json"))
    assert [call for call in calls if call[0] == "remove"] == [("remove", "48.safetensors")]
