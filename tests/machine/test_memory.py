"""A process that keeps its memory is not given cleared pages again and again, and takes no more than before."""

import platform
import subprocess
import sys

import pytest

from alexnet.machine import memory

PROGRAM = """
import resource, sys
import numpy as np
from alexnet.machine.memory import keep_memory
if sys.argv[1] == "keep":
    assert keep_memory()
np.ones(8 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(8 << 20)
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_minflt - before, after.ru_maxrss)
"""


def run(word):
    done = subprocess.run([sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can keep memory")
def test_large_blocks_are_taken_from_the_system_once():
    faults, peak = run("leave")
    faults_kept, peak_kept = run("keep")
    assert faults_kept < faults / 20  # ten times 64 MiB are 163,840 pages, fewer where pages are large
    assert peak_kept < 1.3 * peak


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert memory.keep_memory() is False


def test_a_c_library_without_mallopt_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_memory() is False
