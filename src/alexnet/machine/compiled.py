"""`compiled.cpp`, compiled once for the processor at hand and loaded; without a compiler, PyTorch does the same work.

The library lies in the user's cache folder under a name that tells source, compiler and processor, so another machine
with the same home makes its own. ALEXNET_COMPILED=0 leaves it out.
"""

import ctypes
import hashlib
import os
import platform
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alexnet.durable import sync_folder
from alexnet.progress import say

SOURCE = Path(__file__).with_suffix(".cpp")
VARIABLE = "ALEXNET_COMPILED"
# Square roots need not set errno, nor comparisons trap: both would keep loops from using vectors. Nothing here lets
# the compiler reorder sums, so results do not depend on its version.
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")
# Without this, GCC uses half of the width that AVX-512 has.
FLAGS_X86 = ("-mprefer-vector-width=512",)
LINKING = ("-fopenmp", "-fPIC", "-shared")
SECONDS = 120


@dataclass(frozen=True)
class Library:
    """What came of compiling.

    Attributes:
        functions: The loaded library; None where there is none.
        told: What it was compiled for, or why there is none, in a few words.
        digest: Of the source; empty where there is none.
    """

    functions: ctypes.CDLL | None
    told: str
    digest: str = ""


_lock = threading.Lock()
_library: Library | None = None
_wanted = True


def library() -> Library:
    """Give the library, compiled now if this machine has not done so before; it never raises."""
    global _library
    if not _wanted:
        return Library(None, "left out")
    if _library is None:
        with _lock:
            _library = _library or _load()
    return _library


@contextmanager
def without() -> Iterator[None]:
    """Let PyTorch do all the work inside the `with` block, as on a machine without a compiler."""
    global _wanted
    before, _wanted = _wanted, False
    try:
        yield
    finally:
        _wanted = before


def leave_out() -> None:
    """Let PyTorch do all the work from now on: what a run needs that began so, to go on to the last bit."""
    global _wanted
    _wanted = False


def _load() -> Library:
    if os.environ.get(VARIABLE, "1").lower() in ("0", "no", "off", "false"):
        return Library(None, f"left out by {VARIABLE}")
    if platform.system() != "Linux":
        return Library(None, f"not made for {platform.system()}")
    if (compiler := shutil.which(os.environ.get("CXX", "g++"))) is None:
        return Library(None, "no C++ compiler (g++) found")
    try:
        source = SOURCE.read_bytes()
        flags = (*FLAGS, *(FLAGS_X86 if platform.machine() == "x86_64" else ()), *LINKING)
        asked = subprocess.run([compiler, "--version"], capture_output=True, timeout=SECONDS, check=True)  # noqa: S603
        facts = b"\0".join([source, " ".join(flags).encode(), asked.stdout, processor().encode()])
        name = f"compiled-{hashlib.sha256(facts).hexdigest()[:16]}.so"
        digest = hashlib.sha256(source).hexdigest()
        for folder in folders():
            if (loaded := _loaded(compiler, flags, folder / name)) is not None:
                return Library(loaded, f"compiled for this processor{width()}", digest)
        return Library(None, "no folder to compile into: set XDG_CACHE_HOME to one that can be written")
    except subprocess.TimeoutExpired:
        return Library(None, f"{compiler} took over {SECONDS} seconds")
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() if error.stderr else []
        return Library(None, f"{compiler} failed: {lines[0] if lines else f'exit code {error.returncode}'}")
    except OSError as error:
        return Library(None, f"{compiler} failed: {error}")


def _loaded(compiler: str, flags: tuple[str, ...], path: Path) -> ctypes.CDLL | None:
    """Load the library at `path`, made now if it is not there or torn; None if its folder cannot be used."""
    was_there = path.is_file()
    if _compiled(compiler, flags, path) is None:
        return None
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        if not was_there:
            raise
        path.unlink()
        return None if _compiled(compiler, flags, path) is None else ctypes.CDLL(str(path))


def _compiled(compiler: str, flags: tuple[str, ...], path: Path) -> Path | None:
    """Find or make the library at `path`; None if its folder cannot be used."""
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # What another user put there, or could change, is not run.
        if path.parent.stat().st_uid != os.geteuid() or path.parent.stat().st_mode & 0o022:
            return None
        if path.is_file():
            return path
        begun = time.perf_counter()
        command = [compiler, *flags, "-o", str(temporary), str(SOURCE)]
        subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)  # noqa: S603
        with open(temporary, "rb") as made:
            os.fsync(made.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError:
        return None
    finally:
        temporary.unlink(missing_ok=True)
    say(f"compiled the kernels for this processor in {time.perf_counter() - begun:.0f} s, once: {path}")
    return path


def folders() -> list[Path]:
    """List where the library may lie, the best place first."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return [Path(cache) / "alexnet"] if os.path.isabs(cache) else []


def processor() -> str:
    """Tell the processor's model and what it can do, as far as the system says."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.machine()
    found = re.findall(r"^(?:model name|flags|Features|CPU part)\s*:.*$", text, re.MULTILINE)
    return "\n".join(sorted(set(found)))


def width() -> str:
    """Say how wide its vectors are, where that is known."""
    known = processor().split()
    return " (AVX-512)" if "avx512f" in known else " (AVX2)" if "avx2" in known else ""
