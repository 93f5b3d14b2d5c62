import pytest

from alexnet.errors import AlexNetError, DataError, Diverged, Interrupted, UsageError, complain, did_you_mean, printable


@pytest.mark.parametrize(
    ("kind", "code"), [(AlexNetError, 1), (UsageError, 2), (DataError, 3), (Diverged, 4), (Interrupted, 130)]
)
def test_every_error_has_the_exit_code_of_the_design(kind, code):
    assert kind("why").exit_code == code
    assert isinstance(kind("why"), AlexNetError)
    assert str(kind("why")) == "why"


def test_a_near_name_is_suggested():
    assert did_you_mean("singel", ["single", "paper"]) == "did you mean single?"


def test_far_names_are_all_listed():
    assert did_you_mean("zzz", ["single", "paper"]) == "choose from: single, paper"


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("cat", "cat"),
        ("Hündin α", "Hündin α"),
        ("a\nb", "a\\nb"),
        ("odd \udcff", "odd \\udcff"),
        ("\x1b[0m", "\\x1b[0m"),
    ],
)
def test_odd_letters_are_written_out(words, written):
    assert printable(words) == written


def test_an_error_is_told_in_one_line(capsys, monkeypatch):
    complain("two\nlines of \x1b[0m")
    assert capsys.readouterr().err == "error: two lines of \\x1b[0m\n"
    monkeypatch.setattr("sys.stderr", None)
    complain("nobody listens")
