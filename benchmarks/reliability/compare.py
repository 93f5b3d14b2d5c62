"""The tests of docs/reliability.md on this library and, where they can be imported, on others: a table.

    .venv/bin/python benchmarks/reliability/compare.py [--python RIVALS_PYTHON] [--kills N] [--flips N] [NAME ...]

Each test starts real processes: `alexnet train`, and `subjects.py` for the others (see there what they train).
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

SUBJECTS = Path(__file__).with_name("subjects.py")
sys.path.insert(0, str(SUBJECTS.parent.parent))

RIVALS = {"lightning": "pytorch_lightning", "composer": "composer", "timm": "timm", "torchvision": "torchvision"}
HAVE_A_LOOP = ("alexnet", "lightning", "composer")
# About 40 MB with velocity, so that writing takes its time.
WIDE = 2100


class Subject:
    """One library, and how its training is started."""

    def __init__(self, name, python, top):
        self.name, self.python, self.top = name, python, top

    def words(self, folder, wide=False, each_step=False, pause=0.0, nan=False, epochs=3):
        """Give the command that begins or goes on."""
        if self.name == "alexnet":
            small = ["--arch", "cifar-18pct", "--vary", "side=24", "--lr", "100" if nan else "0.01"]
            large = ["--arch", "single", "--vary", "side=67", "without=fc7"]
            recipe = ["--recipe", "fast", "--batch-size", "6", "--epochs", str(epochs), "--precision", "float32"]
            recipe += ["--schedule", "constant", "--vary", "response_norm=off"] if nan else []
            save = ["--save-every", "0"] if each_step else []
            run = ["train", self.top / "store", *(large if wide else small), *recipe, *save, "--run", folder / "run"]
            return [sys.executable, "-m", "alexnet", *map(str, run)]
        flags = ["--width", str(WIDE if wide else 32), "--epochs", str(epochs), "--pause", str(pause)]
        flags += ["--each-step"] if each_step else []
        flags += ["--nan-at", "12"] if nan else []
        return [self.python, "-W", "ignore", str(SUBJECTS), self.name, str(folder), *flags]

    def start(self, folder, limit=None, **how):
        """Start it; its output goes to a file in the folder."""
        folder.mkdir(exist_ok=True)
        temporary = folder.with_name(f"{folder.name}.tmp")
        temporary.mkdir(exist_ok=True)

        def before() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell has it ignored in what runs in the background
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return subprocess.Popen(
            self.words(folder, **how),
            stdout=open(folder.with_name(f"{folder.name}.out"), "w"),
            stderr=open(folder.with_name(f"{folder.name}.err"), "w"),
            env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
            preexec_fn=before,
        )

    def told(self, folder):
        """Give the last line of its standard error."""
        return (folder.with_name(f"{folder.name}.err").read_text().strip().splitlines() or [""])[-1][:160]

    def steps(self, folder):
        """Count the updates that are made, as far as can be seen from outside."""
        if self.name != "alexnet":
            return folder.with_name(f"{folder.name}.out").read_text().count("STEP")
        saved = [int(file.stem) for file in (folder / "run/checkpoints").glob("*.safetensors")]
        return max(saved, default=0) // 6

    def saved(self, folder):
        """Find what it would go on from."""
        if self.name == "alexnet":
            files = (folder / "run/checkpoints").glob("*.safetensors")
            return max(files, key=lambda file: int(file.stem), default=folder / "nothing")
        from subjects import newest

        return newest(self.name, folder)

    def loads(self, folder):
        """Whether that can be loaded, by its own loader."""
        if self.name == "alexnet":
            path = self.saved(folder)
            return path.exists() and self.notices(path) is False
        words = [self.python, "-W", "ignore", SUBJECTS, self.name, folder, "--load", self.saved(folder)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def notices(self, path):
        """Whether this library's reader refuses a file."""
        from alexnet.errors import DataError
        from alexnet.runs.checkpoint import Checkpoint

        try:
            Checkpoint.read(path)
        except DataError:
            return True
        return False

    def end(self, folder):
        """Give what it ended with."""
        if self.name != "alexnet":
            found = re.search(r"END (\w+) (\w+)", folder.with_name(f"{folder.name}.out").read_text())
            return found.groups() if found else ("none", "none")
        from alexnet.runs.checkpoint import Checkpoint

        weights = Checkpoint.read(self.saved(folder)).part("network")
        finite = all(tensor.isfinite().all() for tensor in weights.values())
        return str([tensor.flatten().tolist() for tensor in weights.values()]), "finite" if finite else "NaN"


def wait_for(condition, process):
    """Wait until something is so, or the process has ended."""
    while not condition() and process.poll() is None:
        time.sleep(0.005)


def kill_while_saving(subject, top, options):
    """SIGKILL at random moments of a training that saves at each step: how often can the newest file be loaded?"""
    loaded, litter, chance = 0, 0, random.Random(0)
    for number in range(options.kills):
        folder = top / f"kill-{number}"
        process = subject.start(folder, wide=True, each_step=True, epochs=1000)
        wait_for(lambda folder=folder: subject.steps(folder) >= 3, process)
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        process.wait()
        loaded += subject.loads(folder)
        litter += sum(
            file.stat().st_size for file in folder.with_name(f"{folder.name}.tmp").rglob("*") if file.is_file()
        )
        for leftover in (folder, folder.with_name(f"{folder.name}.tmp")):
            shutil.rmtree(leftover)
    return f"{loaded}/{options.kills}", f"{litter / 1e6:.0f} MB in the temporary folder"


def flipped_bits(subject, top, options):
    """One bit flipped in a checkpoint: how often is it noticed?"""
    folder = top / "whole"
    if subject.name != "alexnet":
        words = [subject.python, "-W", "ignore", SUBJECTS, subject.name, folder, "--flips", str(options.flips)]
        out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return f"{int(out.split()[-1])}/{options.flips}", ""
    data, noticed, chance = subject.saved(folder).read_bytes(), 0, random.Random(0)
    for _ in range(options.flips):
        bit, other = chance.randrange(8 * len(data)), bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        (folder / "flipped.safetensors").write_bytes(other)
        noticed += subject.notices(folder / "flipped.safetensors")
    return f"{noticed}/{options.flips}", ""


def full_disk(subject, top, options):
    """No file may grow beyond half a checkpoint (RLIMIT_FSIZE): is the one before kept, and what is said?"""
    folder = top / "full"
    process = subject.start(folder, each_step=True, pause=0.05)
    wait_for(lambda: subject.steps(folder) >= 10, process)
    process.kill()
    process.wait()
    size = subject.saved(folder).stat().st_size
    code = subject.start(folder, each_step=True, limit=size // 2).wait()
    kept = "kept" if subject.loads(folder) else "lost"
    return kept, f"exit {code}: {subject.told(folder).replace(str(top), '')}"


def signals(number, subject, top, options):
    """A signal in the middle of an epoch: the exit code, and whether the work since the last save is kept."""
    if subject.name not in HAVE_A_LOOP:
        return "no loop of its own", ""
    folder = top / f"signal-{number}"
    # alexnet has no pause to offer: its epochs are made long instead.
    wide = subject.name == "alexnet"
    process = subject.start(folder, pause=0.2, wide=wide, epochs=50)
    updates = folder / "run/updates.jsonl"
    wait_for(lambda: updates.exists() if wide else subject.steps(folder) >= 4, process)
    begun = time.monotonic()
    process.send_signal(number)
    code = process.wait()
    seconds = time.monotonic() - begun
    return (
        f"exit {128 - code if code < 0 else code}",
        f"{'saved' if subject.saved(folder).exists() else 'not saved'}, {seconds:.1f} s",
    )


def resumed_in_an_epoch(subject, top, options):
    """SIGKILL in the middle of the second epoch, a checkpoint at each step: is the end the same to the last bit?"""
    if subject.name not in HAVE_A_LOOP:
        return "no loop of its own", ""
    alone = top / "alone"
    subject.start(alone, each_step=True).wait()
    ends, same = set(), 0
    for number in range(options.resumes):
        folder = top / f"resumed-{number}"
        process = subject.start(folder, each_step=True, pause=0.05)
        wait_for(lambda folder=folder: subject.steps(folder) >= 11, process)
        process.kill()
        process.wait()
        subject.start(folder, each_step=True).wait()
        ends.add(subject.end(folder)[0])
        same += subject.end(folder)[0] == subject.end(alone)[0]
    return f"{same}/{options.resumes}", f"{len(ends)} different ends"


def not_a_number(subject, top, options):
    """A loss that is not finite: does the training stop, and are the saved weights finite?"""
    if subject.name not in HAVE_A_LOOP:
        return "no loop of its own", ""
    folder = top / "nan"
    code = subject.start(folder, nan=True, epochs=30 if subject.name == "alexnet" else 3).wait()
    if subject.name == "alexnet":
        return f"exit {code}", subject.told(folder).replace(str(top), "")
    return f"exit {code}", f"weights at the end: {subject.end(folder)[1]}"


TESTS = {
    "SIGKILL while saving: newest file loads": kill_while_saving,
    "one flipped bit is noticed": flipped_bits,
    "no room for a checkpoint: the one before": full_disk,
    "SIGTERM": partial(signals, signal.SIGTERM),
    "Ctrl-C": partial(signals, signal.SIGINT),
    "killed within an epoch, resumed: equal to the bit": resumed_in_an_epoch,
    "loss is NaN": not_a_number,
}


def version_of(name, python):
    """Give a library's version, or None if it cannot be imported."""
    code = f"import sys; sys.path.insert(0, {str(SUBJECTS.parent)!r}); import subjects\n"
    code += f"kept = subjects.declare_operators(); import {RIVALS[name]} as it; print(it.__version__)"
    done = subprocess.run([python, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.split()[-1] if done.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"alexnet {' '.join(RIVALS)} (default: all)")
    parser.add_argument("--python", default=sys.executable, help="that can import the others (default: this one)")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--resumes", type=int, default=3)
    parser.add_argument("--results", type=Path, help="file to write, as JSON")
    options = parser.parse_args()
    import torch
    from measuring import machine

    import alexnet

    rows = []
    for name in options.names or ["alexnet", *RIVALS]:
        version = alexnet.__version__ if name == "alexnet" else version_of(name, options.python)
        if version is None:
            print(f"{name}: cannot be imported by {options.python}: not run")
            continue
        with tempfile.TemporaryDirectory() as place:
            top = Path(place)
            subject = Subject(name, options.python, top)
            alexnet.prepare("shapes", None, top / "store", side=96, count=64)
            subject.start(top / "whole").wait()
            for what, test in TESTS.items():
                result, note = test(subject, top, options)
                rows.append({"test": what, "who": f"{name} {version}", "result": result, "note": note})
                print(f"{name} {version} · {what}: {result}{f' ({note})' if note else ''}", flush=True)
    if options.results:
        command = "benchmarks/reliability/compare.py " + " ".join(options.names)
        facts = {"name": "reliability", "command": command.strip(), "machine": machine(), "rows": rows}
        options.results.write_text(json.dumps(facts | {"torch": torch.__version__}, indent=2) + "\n")


if __name__ == "__main__":
    main()
