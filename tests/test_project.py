"""Tests of the project itself: budgets, imports, help texts, and what may not be in the repository.

Run as a program (`make help-texts`), it writes the help texts that the tests compare with.
"""

import ast
import doctest
import importlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
SOURCES = TOP / "src/alexnet"
HELP = TOP / "tests/golden/help"
LINES_OF_A_FILE = 300
LINES_OF_A_FUNCTION = 50
LONGER_FUNCTIONS = {"training.py:learn": 120}  # the training loop is one story
FILES = sorted(path.relative_to(SOURCES) for path in SOURCES.rglob("*.py"))
MODULES = [
    ".".join(("alexnet", *file.with_suffix("").parts)).removesuffix(".__init__")
    for file in FILES
    if file.name != "__main__.py"
]


def run(*command, **environment):
    """Run a command as a user would; its standard output."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=TOP, env=os.environ | environment, timeout=100
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def help_text(*verb):
    return run(sys.executable, "-m", "alexnet", *verb, "--help", COLUMNS="100")


def choices(help_text):
    return re.findall(r"^ {4}([a-z0-9-]+)(?: {2}|$)", help_text, re.MULTILINE)


def help_texts():
    texts = {"alexnet": help_text()}
    texts |= {verb: help_text(verb) for verb in choices(texts["alexnet"])}
    return texts | {f"prepare-{kind}": help_text("prepare", kind) for kind in choices(texts["prepare"])}


# Size and shape.


@pytest.mark.parametrize("file", FILES, ids=str)
def test_files_and_functions_stay_small(file):
    text = (SOURCES / file).read_text()
    lines = text.count("\n")
    assert lines <= LINES_OF_A_FILE, f"{file} has {lines} lines: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            budget = LONGER_FUNCTIONS.get(f"{file}:{node.name}", LINES_OF_A_FUNCTION)
            assert node.end_lineno - node.lineno < budget, f"{file}: {node.name} is longer than {budget} lines"


def test_no_file_is_a_drawer_for_odds_and_ends():
    assert not {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"} & {file.name for file in FILES}


def mirror_of(file):
    """Name the test file of a source file; that of a package's `__init__.py` has the name of the package."""
    name = file.parent.name if file.name == "__init__.py" else file.stem
    return file.with_name(f"test_{name}.py")


def does_something(file):
    """Tell whether a file holds code of its own; the topmost `__init__.py` is tested here, below."""
    if file.name != "__init__.py":
        return file.name != "__main__.py"
    body = ast.parse((SOURCES / file).read_text()).body
    return file.parent != Path() and any(isinstance(node, ast.FunctionDef) for node in body)


def test_tests_mirror_the_sources():
    mirrored = {mirror_of(file) for file in FILES if does_something(file)}
    tests = {path.relative_to(TOP / "tests") for path in (TOP / "tests").rglob("test_*.py")}
    # What the whole command promises, whichever source file keeps the promise.
    tests = {path for path in tests if path.parts[0] != "reliability"}
    about_the_project = {Path(f"test_{name}.py") for name in ("project", "documents", "faithfulness", "benchmarks")}
    about_the_project.add(Path("oracles/test_torchvision.py"))  # compares with another program, not with a source file
    about_the_project.add(Path("data/test_picture_matrix.py"))  # a table for all who decode
    about_the_project |= {Path("web/test_page.py"), Path("web/test_attacks.py")}  # the whole page, from outside
    assert not mirrored - tests, f"without a test file: {sorted(map(str, mirrored - tests))}"
    strays = tests - mirrored - about_the_project
    assert not strays, f"without a source file: {sorted(map(str, strays))}"


def test_readme_maps_every_source_file():
    readme = (TOP / "README.md").read_text()
    block = re.search(r"^```text\nsrc/alexnet/\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert block, "README.md has no ```text block that begins with src/alexnet/"
    mapped, folders = set(), {0: Path()}
    for line in block[1].splitlines():
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        folder = folders[max(level for level in folders if level < depth)]
        if name.endswith("/"):
            folders = {level: path for level, path in folders.items() if level < depth} | {depth: folder / name}
        else:
            mapped.add(folder / name)
    empty = {file for file in FILES if file.name == "__init__.py" and file.parent != Path()}
    there = set(FILES) - empty
    assert not there - mapped, f"not in the README's map: {sorted(map(str, there - mapped))}"
    assert not mapped - there, f"in the README's map only: {sorted(map(str, mapped - there))}"


# Imports.


def test_imports_go_one_way():
    run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")


def test_nothing_happens_at_import(tmp_path):
    code = (
        "import importlib, logging, os\n"
        "import torch, numpy, PIL.Image, tqdm\n"  # what these do is theirs
        "before = dict(os.environ), torch.get_num_threads(), torch.random.initial_seed(), list(logging.root.handlers)\n"
        f"for name in {MODULES}: importlib.import_module(name)\n"
        "after = dict(os.environ), torch.get_num_threads(), torch.random.initial_seed(), list(logging.root.handlers)\n"
        "assert before == after\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_are_true(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_public_names_are_found_when_used():
    import alexnet

    assert all(hasattr(alexnet, name) for name in alexnet.__all__)
    assert set(alexnet.__all__) <= set(dir(alexnet))
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = alexnet.no_such_name


# The command.


def test_help_does_not_load_torch():
    code = (
        "import sys, alexnet.cli\n"
        "try: alexnet.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    assert run(sys.executable, "-c", code).endswith("False\n")


def test_help_answers_in_under_half_a_second():
    times = []
    for _ in range(3):
        start = time.perf_counter()
        help_text()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5


def test_help_texts_are_the_golden_ones():
    golden = {path.stem: path.read_text() for path in HELP.glob("*.txt")}
    assert help_texts() == golden, "if this is meant: make help-texts, and read the difference"


# What may not be in the repository.


def test_no_path_of_one_machine_is_in_the_repository():
    # Put together from pieces, so that this file does not hold what it looks for.
    private = ["/" + name for name in ("work/main", "work/shared", "opt/wheels", "opt/pypi", "root/", "tmp/data")]
    shared = "shared" + "/data"
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for file in filter(None, files):
        if not (TOP / file).is_file():
            continue
        text = (TOP / file).read_bytes().decode(errors="ignore")
        found = [place for place in private if place in text]
        found += [shared] if shared in text and file != ".ci/run" else []
        assert not found, f"{file} names {found}"


def test_constraints_pin_the_torch_of_the_makefile():
    (wanted,) = re.findall(r"^TORCH := (.+)$", (TOP / "Makefile").read_text(), re.MULTILINE)
    lines = (TOP / "constraints.txt").read_text().splitlines()
    assert f"torch=={wanted}" in lines
    assert not [line for line in lines if "://" in line or line.startswith("-")]


if __name__ == "__main__":
    shutil.rmtree(HELP, ignore_errors=True)
    HELP.mkdir(parents=True)
    for name, text in help_texts().items():
        (HELP / f"{name}.txt").write_text(text)
