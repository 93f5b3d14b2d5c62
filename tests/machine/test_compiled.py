"""The kernels are compiled once for a processor, in the user's cache; whatever is in the way, PyTorch does the work."""

import os
import shutil
import stat
import subprocess

import pytest

from alexnet.machine import compiled

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A user whose cache is empty and who has not asked yet."""
    monkeypatch.setattr(compiled, "_library", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path / "alexnet"


@pytest.fixture
def compilations(monkeypatch):
    """What the compiler was asked to write; it writes a library of nothing, quickly."""
    asked, run = [], subprocess.run

    def quick(command, **options):
        if "-o" in command:
            asked.append(command[command.index("-o") + 1])
            return run([command[0], "-shared", "-o", asked[-1], "-x", "c++", "/dev/null"], **options)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", quick)
    return asked


@needs_compiler
def test_it_is_compiled_once_for_the_user_and_found_again(fresh, compilations, monkeypatch, capsys):
    first = compiled.library()
    assert first.functions is not None
    assert len(first.digest) == 64
    assert str(fresh) in capsys.readouterr().err
    assert compiled.library() is first
    monkeypatch.setattr(compiled, "_library", None)
    assert compiled.library().functions is not None
    assert len(compilations) == 1
    (file,) = fresh.iterdir()
    assert file.suffix == ".so"
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o700


@needs_compiler
def test_another_processor_or_source_makes_its_own(fresh, compilations, monkeypatch, tmp_path):
    compiled.library()
    monkeypatch.setattr(compiled, "processor", lambda: "another")
    monkeypatch.setattr(compiled, "_library", None)
    compiled.library()
    changed = tmp_path / "changed.cpp"
    changed.write_text("int other;")
    monkeypatch.setattr(compiled, "SOURCE", changed)
    monkeypatch.setattr(compiled, "_library", None)
    compiled.library()
    assert len(list(fresh.iterdir())) == len(compilations) == 3


@needs_compiler
def test_what_another_could_have_put_there_is_not_run(fresh, compilations):
    fresh.mkdir()
    fresh.chmod(0o777)
    library = compiled.library()
    assert library.functions is None
    assert "XDG_CACHE_HOME" in library.told
    assert compilations == []


@needs_compiler
def test_a_folder_that_cannot_be_is_no_error(fresh):
    fresh.write_text("a file")
    assert compiled.library().functions is None


@needs_compiler
def test_what_the_compiler_says_is_told_in_a_line(fresh, monkeypatch, tmp_path):
    broken = tmp_path / "broken.cpp"
    broken.write_text("this is no C++")
    monkeypatch.setattr(compiled, "SOURCE", broken)
    library = compiled.library()
    assert library.functions is None
    assert "broken.cpp" in library.told
    assert "\n" not in library.told
    assert list(fresh.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [(compiled.VARIABLE, "0", "left out by ALEXNET_COMPILED"), ("CXX", "no-such-compiler", "no C++ compiler")],
)
def test_the_user_can_leave_it_out_and_may_have_no_compiler(fresh, monkeypatch, name, value, told):
    monkeypatch.setenv(name, value)
    library = compiled.library()
    assert library.functions is None
    assert told in library.told


def test_other_systems_do_without(fresh, monkeypatch):
    monkeypatch.setattr(compiled.platform, "system", lambda: "Darwin")
    assert compiled.library().told == "not made for Darwin"


def test_a_compiler_that_hangs_is_given_up(fresh, monkeypatch):
    monkeypatch.setenv("CXX", "true")

    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    assert "seconds" in compiled.library().told


def test_it_can_be_left_out_for_a_while_and_for_good(monkeypatch):
    monkeypatch.setattr(compiled, "_wanted", True)
    with compiled.without():
        assert compiled.library().functions is None
    assert compiled.library().told != "left out"
    compiled.leave_out()
    assert compiled.library().functions is None


def test_the_processor_is_told_as_far_as_the_system_says(monkeypatch, tmp_path):
    assert compiled.processor()
    monkeypatch.setattr(compiled, "processor", lambda: "flags : sse avx2")
    assert compiled.width() == " (AVX2)"
    monkeypatch.setattr(compiled, "processor", lambda: "flags : avx2 avx512f")
    assert compiled.width() == " (AVX-512)"
    monkeypatch.setattr(compiled, "processor", lambda: "Features : neon")
    assert compiled.width() == ""


def test_a_home_that_is_unknown_is_no_folder(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert compiled.folders() == []
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", os.sep + "home")
    assert [str(folder) for folder in compiled.folders()] == ["/home/.cache/alexnet"]


@needs_compiler
def test_a_torn_library_is_compiled_again(fresh, compilations, monkeypatch, tmp_path):
    assert compiled.library().functions is not None
    (file,) = fresh.iterdir()
    other = tmp_path / "other" / "alexnet"  # elsewhere: this process has the first one in its memory
    other.mkdir(parents=True, mode=0o700)
    (other / file.name).write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(other.parent))
    monkeypatch.setattr(compiled, "_library", None)
    assert compiled.library().functions is not None
    assert len(compilations) == 2
    assert (other / file.name).stat().st_size > 0
