"""Every command and every line of Python in README.md runs, in order, in one folder, on tiny pictures.

A block that cannot run here says so in a comment above it: `<!-- not run by the tests: REASON -->`. Its commands must
still name verbs and flags that exist.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOP = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?:^<!-- not run by the tests: (?P<reason>[^\n]+) -->\n)?^```(?P<kind>sh|python)\n(?P<text>.*?)^```", re.M | re.S
)
BLOCKS = [match.groupdict() for match in BLOCK.finditer((TOP / "README.md").read_text())]

# The commands run as they are printed, but what takes long gets the smallest network and one epoch: of a flag that is
# given twice, the last counts.
SMALLER = """
alexnet() {
  case "$1" in
    prepare) command alexnet "$@" --side 40 ;;
    train) command alexnet "$@" --arch cifar-18pct --epochs 1 --batch-size 8 ;;
    *) command alexnet "$@" ;;
  esac
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with photos of two kinds, as a reader of the README has one."""
    top = tmp_path_factory.mktemp("readme")
    chance = np.random.default_rng(0)
    for kind, shade in (("cats", 60), ("dogs", 180)):
        (top / "photos" / kind).mkdir(parents=True)
        for number in range(1, 21):
            pixels = np.clip(chance.normal(shade, 40, (40, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(top / "photos" / kind / f"{number}.jpg")
    return top


def environment():
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"}


@pytest.mark.timeout(300)
def test_blocks_run_in_order(folder):
    ran = 0
    for block in BLOCKS:
        if block["reason"]:
            continue
        shell = ["bash", "-euo", "pipefail", "-c", SMALLER + block["text"]]
        command = shell if block["kind"] == "sh" else [sys.executable, "-W", "error", "-c", block["text"]]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block['text']}\n{done.stdout}{done.stderr}"
        ran += 1
    assert ran


def test_every_command_names_verbs_and_flags_that_exist():
    commands = [line for block in BLOCKS for line in block["text"].replace("\\\n", " ").splitlines()]
    commands = [line.split("#")[0].split() for line in commands if line.startswith("alexnet ")]
    assert commands
    for _, verb, *words in commands:
        golden = TOP / f"tests/golden/help/{verb}.txt"
        assert golden.is_file() or verb == "--help", f"README.md names alexnet {verb}, which is no verb"
        texts = "".join(path.read_text() for path in golden.parent.glob(f"{verb}*.txt"))  # prepare has kinds
        known = set(re.findall(r"--[a-z0-9-]+", texts))
        flags = {word.split("=")[0] for word in words if word.startswith("--")}
        assert flags <= known, f"alexnet {verb} has no {flags - known}"


def test_make_targets_exist():
    makefile = (TOP / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z-]+)", "".join(block["text"] for block in BLOCKS)):
        assert re.search(rf"^{target}:", makefile, re.M), f"README.md names make {target}"
