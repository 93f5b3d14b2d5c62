"""The verb `predict`: what pictures show, in words, as JSON, or as a sheet."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.cli.options import Options, add_device, chosen_device, refuse_unwritable_png
from alexnet.cli.pictures import chosen_store, picture_files
from alexnet.errors import DataError, UsageError, complain, printable

if TYPE_CHECKING:
    from alexnet.answers import Answer
    from alexnet.prediction import Guess, Model

# As in answers.py, which loads torch.
CHOICES = ("surest", "mistakes", "random")
# Longer names are cut in the table.
FILE_WIDTH, LABEL_WIDTH = 60, 24


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `predict`."""
    parser.add_argument("run", type=Path, metavar="RUN")
    images = "files, folders, or - for a list of them on standard input"
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=images)
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes per picture (default: 5)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON value")
    form.add_argument("--jsonl", action="store_true", help="print one JSON value per line, as soon as it is known")
    sheet = "also draw pictures with their best five classes as bars, as in Figure 4: up to 48 files, or those chosen"
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help=sheet)
    stored = parser.add_argument_group("pictures of a store", "in place of files, with their true classes")
    choose = "8 pictures: the surest right answers, the worst mistakes, or a few at random"
    stored.add_argument("--choose", choices=CHOICES, help=choose)
    stored.add_argument("--store", type=Path, metavar="STORE", help="another one than the run's own")
    split = "train, val or test (default: test, or val where there is none)"
    stored.add_argument("--split", metavar="NAME", help=split)
    add_device(parser)


def run_predict(options: Options) -> int:
    """Name what pictures show; a picture that cannot be read is told and the others go on."""
    from alexnet.prediction import load

    refuse_contradictions(options)
    if options.choose:
        return predict_chosen(options, load(options.run, chosen_device(options)))
    files = picture_files(options.images)
    model = load(options.run, chosen_device(options))
    tell, failed, good = Told(options, [str(file) for file in files], model.classes), 0, []
    for file, guesses in answered(options, model, files):
        if isinstance(guesses, str):
            failed += 1
        else:
            good.append(file)
        tell.one(str(file), None, guesses)
    tell.end()
    if options.sheet and good:
        draw_files(options, model, good)
    return DataError.exit_code if failed else 0


def refuse_contradictions(options: Options) -> None:
    """Refuse what would have no effect, before anything is read."""
    if options.top < 1:
        raise UsageError(f"--top {options.top} shows nothing: give 1 or more")
    if options.choose and options.images:
        raise UsageError("--choose takes pictures of a store: leave out the files, or --choose")
    if (options.store or options.split) and not options.choose:
        raise UsageError(f"--store and --split say where --choose looks: add --choose {' or '.join(CHOICES)}")
    if not options.choose and not options.images:
        raise UsageError("there is no picture: give files, folders, - and a list of them, or --choose surest")
    if options.sheet:
        refuse_unwritable_png(options.sheet)


def answered(options: Options, model: "Model", files: list[Path]) -> "Iterator[tuple[Path, list[Guess] | str]]":
    """Go through the files; where the answers do not show how far it is, a bar or a line does."""
    from alexnet.prediction import predict
    from alexnet.progress import Progress

    found = predict(model, files, options.top)
    if sys.stdout is not None and sys.stdout.isatty() and not options.json:
        return (yield from found)
    with Progress("predicting", len(files)) as progress:
        for one in found:
            progress.advance(1)
            yield one


class Told:
    """Prints answers as they come: rows of a table, or JSON; errors go to standard error, or into the JSON."""

    def __init__(self, options: Options, names: list[str], classes: list[str]) -> None:
        self.options, self.all = options, list[dict[str, Any]]()
        self.name_width = min(FILE_WIDTH, max(map(len, map(printable, names)), default=0))
        self.label_width = max(map(len, map(cut, classes)))

    def one(self, name: str, truth: str | None, guesses: "list[Guess] | str") -> None:
        """Tell one answer."""
        if not (self.options.json or self.options.jsonl):
            return self._row(name, truth, guesses)
        told = {"error": guesses} if isinstance(guesses, str) else {"top": [asdict(guess) for guess in guesses]}
        value = {"file": name, **({} if truth is None else {"truth": truth}), **told}
        if self.options.jsonl:
            print(json.dumps(value), flush=True)
        else:
            self.all.append(value)
        return None

    def _row(self, name: str, truth: str | None, guesses: "list[Guess] | str") -> None:
        if isinstance(guesses, str):
            complain(printable(guesses))
            return
        cells = [f"{printable(name):{self.name_width}}"]
        if truth is not None:
            cells.append(f"{cut(truth):{self.label_width}}:")
        cells += [f"{cut(guess.label):{self.label_width}} {guess.probability:6.1%}" for guess in guesses]
        print("  ".join(cells))

    def end(self) -> None:
        """Print what was kept back."""
        if self.options.json:
            print(json.dumps(self.all))


def cut(label: str) -> str:
    """Shorten a long class."""
    label = printable(label)
    return label if len(label) <= LABEL_WIDTH else label[: LABEL_WIDTH - 1] + "…"


def draw_files(options: Options, model: "Model", files: list[Path]) -> None:
    """Draw the first files with their answers."""
    from alexnet.answers import MOST, TOP, Answer

    shown = files[:MOST]
    pictures = [model.stored(file) for file in shown]
    guesses = model.predict(list(pictures), TOP)
    told = zip(shown, pictures, guesses, strict=True)
    answers = [Answer(str(file), None, picture, top) for file, picture, top in told]
    many = f"{len(shown)} of {len(files):,} pictures" if len(shown) < len(files) else f"{len(files)} pictures"
    draw(options, f"{many}. A full bar is certainty.", answers)


def predict_chosen(options: Options, model: "Model") -> int:
    """Tell and draw chosen answers for pictures of a store."""
    from alexnet.answers import TOP, answers_of
    from alexnet.compatibility import check_classes
    from alexnet.progress import Progress, say

    store = chosen_store(options)
    split = store.split(options.split)
    check_classes(model.trained, split, options.run)
    with Progress(f"predicting {split.name}", len(split)) as progress:
        answers = answers_of(model, split, options.choose, top=max(TOP, options.top), progress=progress.advance)
    tell = Told(options, [answer.name for answer in answers], model.classes)
    for answer in answers:
        tell.one(answer.name, answer.truth, answer.top[: options.top])
    tell.end()
    if not answers:
        say(f"note: no answer on {split.name} is {'right' if options.choose == 'surest' else 'wrong'}: nothing to show")
    elif options.sheet:
        words = {"surest": "the surest right answers", "mistakes": "the worst mistakes", "random": "drawn at random"}
        about = f"Of {split.name}, {len(split):,} pictures: {words[options.choose]}. Blue: the true class."
        draw(options, about, answers)
    return 0


def draw(options: Options, about: str, answers: "list[Answer]") -> None:
    """Draw the sheet and say where it lies."""
    from alexnet.answers import draw_answers
    from alexnet.progress import say

    draw_answers(options.sheet, f"What {options.run.resolve().name} answers", about, answers)
    say(f"wrote {options.sheet}")
