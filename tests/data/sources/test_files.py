import io
import tarfile
import zipfile

import pytest
from PIL import Image

from alexnet.data.sources.files import pictures

PNG = io.BytesIO()
Image.new("RGB", (2, 2)).save(PNG, "PNG")
CONTENTS = {
    "b/2.jpg": b"not looked into",
    "a/1.png": PNG.getvalue(),
    "a/.hidden.png": b"",
    "__MACOSX/a/._1.png": b"",
    "a/Thumbs.db": b"",
    "a/notes.txt": b"words",
    "a/deep/er/3.JPEG": b"3",
}


def lay_out(folder, kind):
    if kind == "folder":
        for name, data in CONTENTS.items():
            (folder / "top" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "top" / name).write_bytes(data)
    elif kind == "tar":
        with tarfile.open(folder / "top", "w") as archive:
            for name, data in CONTENTS.items():
                header = tarfile.TarInfo(name)
                header.size = len(data)
                archive.addfile(header, io.BytesIO(data))
    else:
        with zipfile.ZipFile(folder / "top", "w") as archive:
            for name, data in CONTENTS.items():
                archive.writestr(name, data)
    return folder / "top"


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_folders_and_archives_give_the_same_files(tmp_path, kind):
    skipped = []
    found = pictures(lay_out(tmp_path, kind), skipped)
    assert [(file.name, file.size) for file in found] == [
        ("a/1.png", len(PNG.getvalue())),
        ("a/deep/er/3.JPEG", 1),
        ("b/2.jpg", 15),
    ]
    read = found[0].place.read_bytes() if kind == "folder" else found[0].place.read()
    assert read == PNG.getvalue()
    whole = "__MACOSX" if kind == "folder" else "__MACOSX/a/._1.png"  # a folder is not looked into
    hidden = {"a/.hidden.png": "hidden or metadata", "a/Thumbs.db": "hidden or metadata", whole: "hidden or metadata"}
    assert dict(skipped) == {**hidden, "a/notes.txt": "not a picture"}
