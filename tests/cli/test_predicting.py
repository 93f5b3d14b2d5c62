"""Tests of alexnet.cli.predicting."""

import io
import json
import os
import shutil
import sys

import pytest
from PIL import Image

from alexnet.prediction import load


def test_predict_prints_one_json_value_with_the_keys_of_the_design(command, photo_run, photos):
    files = sorted((photos / "test" / "dogs").iterdir())
    done = command("predict", photo_run, *files, "--top", 2, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    guesses = load(photo_run).predict(files, top=2)
    assert told == [
        {"file": str(file), "top": [{"label": one.label, "probability": one.probability} for one in answer]}
        for file, answer in zip(files, guesses, strict=True)
    ]


def test_an_unreadable_picture_is_told_and_the_others_go_on(command, photo_run, photos, tmp_path):
    good = photos / "test" / "cats" / "0.jpg"
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff no more")
    done = command("predict", photo_run, "bad.jpg", good, "gone.png", good, "--json")
    assert (done.code, done.err) == (3, "")
    told = json.loads(done.out)
    assert [list(one) for one in told] == [["file", "error"], ["file", "top"], ["file", "error"], ["file", "top"]]
    assert told[2] == {"file": "gone.png", "error": "gone.png: no such file"}
    done = command("predict", photo_run, "bad.jpg", good, "gone.png", good)
    assert done.code == 3
    first, second = done.err.splitlines()
    assert first.startswith("error: bad.jpg: ")
    assert second == "error: gone.png: no such file"
    assert [line.split()[0] for line in done.out.splitlines()] == [str(good)] * 2
    assert done.out.splitlines()[0].count("%") == 3


def test_a_checkpoint_alone_predicts(command, photo_run, photos, tmp_path):
    shutil.copy(photo_run / "best.safetensors", tmp_path / "mine.safetensors")
    file = photos / "test" / "cats" / "0.jpg"
    alone, whole = command("predict", "mine.safetensors", file), command("predict", photo_run, file)
    assert alone == whole
    assert alone.code == 0


def test_a_table_has_its_columns_under_each_other(command, photo_run, photos):
    files = sorted((photos / "test").rglob("*.*"))
    rows = command("predict", photo_run, photos / "test" / "cats" / "0.jpg", photos / "test").out.splitlines()
    assert len(rows) == 1 + len(files)
    assert len({row.index("%") for row in rows}) == 1
    assert [row.split()[0] for row in rows[1:]] == list(map(str, files))
    assert all(row.count("%") == 3 for row in rows)


def test_a_name_stays_on_its_line(command, photo_run, photos, tmp_path):
    shutil.copy(photos / "test" / "cats" / "0.jpg", tmp_path / "two\nlines\x1b[31m.jpg")
    (tmp_path / "no\npicture.jpg").write_bytes(b"words")
    done = command("predict", photo_run, *sorted(tmp_path.glob("*.jpg")), "--top", 1)
    assert done.out.startswith(f"{tmp_path}/two\\nlines\\x1b[31m.jpg  ")
    assert done.out.count("\n") == done.err.count("\n") == 1
    assert f"{tmp_path}/no\\npicture.jpg" in done.err


def test_lines_of_json_are_printed(command, photo_run, photos):
    good = photos / "test" / "cats" / "0.jpg"
    done = command("predict", photo_run, good, "gone.png", "--jsonl", "--top", 1)
    assert done.code == 3
    values = [json.loads(line) for line in done.out.splitlines()]
    assert values == json.loads(command("predict", photo_run, good, "gone.png", "--json", "--top", 1).out)


def test_what_is_no_picture_in_a_folder_is_no_failure(command, photo_run, photos, tmp_path):
    shutil.copytree(photos / "test" / "cats", tmp_path / "album")
    (tmp_path / "album" / "notes.txt").write_text("no picture")
    done = command("predict", photo_run, "album", "--json")
    assert (done.code, done.err) == (0, "album: 1 skipped (1 not a picture)\n")
    assert [one["file"] for one in json.loads(done.out)] == ["album/0.jpg", "album/1.png", "album/2.webp"]


def test_a_dash_reads_names_from_standard_input(command, photo_run, photos, monkeypatch, tmp_path):
    odd = tmp_path / os.fsdecode(b"a \xff.png")
    shutil.copy(photos / "test" / "cats" / "1.png", odd)
    listed = os.fsencode(odd) + b"\n" + os.fsencode(photos / "test" / "dogs")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed), encoding="utf-8"))
    told = json.loads(command("predict", photo_run, "-", "--json").out)
    assert [one["file"] for one in told] == [str(odd), *map(str, sorted((photos / "test" / "dogs").iterdir()))]
    assert all("top" in one for one in told)
    assert "\\udcff" in command("predict", photo_run, odd).out


def test_progress_is_told_where_answers_do_not_show_it(command, photo_run, photos, monkeypatch):
    from alexnet import progress

    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    done = command("predict", photo_run, photos / "test")
    assert "  predicting: 9 of 9" in done.err
    assert done.out.count("\n") == 9


# Sheets.


def test_files_are_drawn_with_their_answers(command, photo_run, photos, tmp_path):
    done = command("predict", photo_run, photos / "test", "gone.jpg", "--sheet", "sheet.png")
    assert done.code == 3
    assert "wrote sheet.png" in done.err
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size[0] == 1080


@pytest.mark.parametrize("how", ["surest", "mistakes", "random"])
def test_stored_pictures_are_chosen_with_their_true_classes(command, photo_run, tmp_path, how):
    done = command(
        "predict", photo_run, "--choose", how, "--split", "train", "--json", "--sheet", "sheet.png", "--top", 2
    )
    assert (done.code, done.err) == (0, "wrote sheet.png\n")
    told = json.loads(done.out)
    assert 0 < len(told) <= 8
    for one in told:
        assert list(one) == ["file", "truth", "top"]
        assert one["file"].startswith(f"train/{one['truth']}/")
        assert len(one["top"]) == 2
        if how != "random":
            assert (one["top"][0]["label"] == one["truth"]) == (how == "surest")
    assert (tmp_path / "sheet.png").is_file()
    rows = command("predict", photo_run, "--choose", how, "--split", "train").out.splitlines()
    assert [row.split()[0] for row in rows] == [one["file"] for one in told]


def test_without_mistakes_a_word_and_no_sheet(command, photo_run, tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet.answers.answers_of", lambda *rest, **named: [])
    done = command("predict", photo_run, "--choose", "mistakes", "--split", "train", "--json", "--sheet", "sheet.png")
    assert (done.code, done.out) == (0, "[]\n")
    assert done.err == "note: no answer on train is wrong: nothing to show\n"
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is no picture: give files, folders, - and a list of them, or --choose surest"),
        (["a.jpg", "--choose", "surest"], "--choose takes pictures of a store: leave out the files, or --choose"),
        (["a.jpg", "--split", "val"], "--store and --split say where --choose looks: add --choose surest"),
        (["a.jpg", "--top", "0"], "--top 0 shows nothing: give 1 or more"),
        (["a.jpg", "--sheet", "a.jpg"], "a.jpg would hold a PNG: end its name in .png"),
        (["--choose", "surest", "--split", "tset"], "has no split tset: did you mean test?"),
        (["--choose", "surest", "--store", "{tiny}"], "has other classes than"),
    ],
)
def test_what_contradicts_itself_is_refused(command, photo_run, tiny_store, words, message):
    done = command("predict", photo_run, *(word.replace("{tiny}", str(tiny_store)) for word in words))
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_the_words_are_those_of_answers():
    from alexnet import answers
    from alexnet.cli import predicting

    assert predicting.CHOICES == answers.CHOICES
