"""Every command and every line of Python in the README and the docs runs, in order, in one folder, on tiny pictures.

A block that cannot run here says so in a comment above it: `<!-- not run by the tests: REASON -->`. Its commands must
still name verbs and flags that exist.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.weights import create_model

TOP = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?:^<!-- not run by the tests: (?P<reason>[^\n]+) -->\n)?^```(?P<kind>sh|python)\n(?P<text>.*?)^```", re.M | re.S
)
DOCUMENTS = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
BLOCKS = {path.name: [match.groupdict() for match in BLOCK.finditer(path.read_text())] for path in DOCUMENTS}
RUN = {name: [block for block in blocks if not block["reason"]] for name, blocks in BLOCKS.items()}

# The commands run as they are printed, but what takes long gets the smallest network and one epoch, and what would be
# fetched is a file: of a flag that is given twice, the last counts.
SMALLER = """
alexnet() {
  local weights=
  if [[ " $* " == *" --weights torchvision "* ]]; then
    weights="--weights convolutions.npz --layer-lr conv1-conv3=0.1"
  fi
  case "$1" in
    prepare) command alexnet "$@" --side 40 ;;
    train) command alexnet "$@" --arch cifar-18pct --epochs 1 --batch-size 8 $weights ;;
    *) command alexnet "$@" ;;
  esac
}
"""
# The tutorial as it is printed, but for the weights: those that tests have.
WHOLE = """
alexnet() {
  local weights=
  if [[ " $* " == *" --weights torchvision "* ]]; then
    weights="--weights $ALEXNET_DATA/torchvision_alexnet_features.npz --arch torchvision"
  fi
  command alexnet "$@" $weights
}
"""


def photos(top):
    """Write photos of two kinds, as a reader has them, and pretrained convolutions."""
    chance = np.random.default_rng(0)
    for kind, shade in (("cats", 60), ("dogs", 180)):
        (top / "photos" / kind).mkdir(parents=True)
        for number in range(1, 21):
            pixels = np.clip(chance.normal(shade, 40, (40, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(top / "photos" / kind / f"{number}.jpg")
    tensors = create_model("cifar-18pct", num_classes=2).state_dict()
    weights = {name: tensor.numpy() for name, tensor in tensors.items() if name.startswith("conv")}
    np.savez(top / "convolutions.npz", **weights)


def run(block, folder, before):
    """Run a block in a folder; give what it printed."""
    shell = ["bash", "-euo", "pipefail", "-c", before + block["text"]]
    command = shell if block["kind"] == "sh" else [sys.executable, "-W", "error", "-c", block["text"]]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLUMNS": "100"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{block['text']}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["README.md", pytest.param("tutorial.md", marks=pytest.mark.slow)])
def test_blocks_run_in_order(name, tmp_path):
    photos(tmp_path)
    assert RUN[name]
    for block in RUN[name]:
        run(block, tmp_path, SMALLER)


def test_no_other_page_has_blocks_that_would_run():
    assert {name for name, blocks in RUN.items() if blocks} == {"README.md", "tutorial.md"}


DATA = Path(os.environ.get("ALEXNET_DATA", "none"))
NEEDED = (DATA / "cats-dogs-200px-4000" / "train", DATA / "torchvision_alexnet_features.npz")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    not all(path.exists() for path in NEEDED), reason="ALEXNET_DATA names no folder with cats and dogs and weights"
)
def test_the_tutorial_tells_cats_from_dogs_that_it_never_saw(tmp_path):
    pictures = sorted(NEEDED[0].glob("*.jpg"), key=lambda path: path.name)
    for kind in ("cat", "dog"):
        of_kind = [path for path in pictures if path.name.startswith(kind)]
        for folder, some in (("photos", of_kind[:100]), ("others", of_kind[-250:])):
            (tmp_path / folder / f"{kind}s").mkdir(parents=True)
            for number, path in enumerate(some, 1):
                shutil.copyfile(path, tmp_path / folder / f"{kind}s" / f"{number}.jpg")
    for block in RUN["tutorial.md"]:
        if "--weights torchvision" in block["text"] or "prepare folder" in block["text"]:
            run(block, tmp_path, WHOLE)
    others = """
alexnet prepare folder others others.store --val-share 0.01 --test-share 0.95
alexnet evaluate runs/photos --store others.store --split test
"""
    told = run({"kind": "sh", "text": others}, tmp_path, WHOLE)
    assert float(re.search(r"top-1 ([\d.]+)%", told)[1]) >= 88, told


def test_every_command_names_verbs_and_flags_that_exist():
    lines = [
        (name, line)
        for name, blocks in BLOCKS.items()
        for block in blocks
        for line in block["text"].replace("\\\n", " ").splitlines()
    ]
    commands = [(name, line.split("#")[0].split()) for name, line in lines if line.startswith("alexnet ")]
    assert commands
    for name, (_, verb, *words) in commands:
        golden = TOP / f"tests/golden/help/{verb}.txt"
        assert golden.is_file() or verb == "--help", f"{name} names alexnet {verb}, which is no verb"
        texts = "".join(path.read_text() for path in golden.parent.glob(f"{verb}*.txt"))  # prepare has kinds
        known = set(re.findall(r"--[a-z0-9-]+", texts))
        flags = {word.split("=")[0] for word in words if word.startswith("--")}
        assert flags <= known, f"{name}: alexnet {verb} has no {flags - known}"


def test_make_targets_exist():
    makefile = (TOP / "Makefile").read_text()
    for name, blocks in BLOCKS.items():
        for target in re.findall(r"\bmake ([a-z-]+)", "".join(block["text"] for block in blocks)):
            assert re.search(rf"^{target}:", makefile, re.M), f"{name} names make {target}"
