"""Tests of alexnet.experiments.write_up_004_steps."""

import json
from itertools import pairwise

from alexnet.catalogue import SINGLE
from alexnet.experiments import write_up_004_steps
from alexnet.experiments.write_up_004 import as_written, ours
from alexnet.experiments.write_up_004_steps import SIDE, reproduce, steps
from alexnet.recipe import changes
from alexnet.variations import vary


def test_every_step_changes_what_its_label_says_and_nothing_else():
    listed = steps()
    fields = [{name for name, *_ in changes(after, before)} for (*_, before), (*_, after) in pairwise(listed)]
    falling = {"optimizer", "schedule", "warmup_epochs", "lr_steps"}
    assert [names - {"lr"} for names in fields] == [set(), {"start"}, {"batch_size"}, falling, {"label_smoothing"}]
    networks = [network for _, network, _ in listed]
    assert networks[0] == vary(as_written()[0], f"side={SIDE}")
    single = vary(SINGLE, f"side={SIDE}")
    assert (networks[1].layers, networks[1].start, networks[1].input) == (
        single.layers,
        networks[0].start,
        networks[0].input,
    )
    assert networks[2:] == [single] * 4


def test_the_last_step_is_ours():
    *_, (_, network, recipe) = steps()
    assert network.layers == ours()[0].layers
    # What is not compared, and therefore the same in every step, is left aside.
    assert {name for name, *_ in changes(recipe, ours()[1])} <= {"precision", "view_side", "colour_noise", "mirror"}


def test_all_steps_are_trained_and_kept(on_drawn_pictures, monkeypatch, tmp_path, tiny_network, tiny_recipe, capsys):
    on_drawn_pictures(write_up_004_steps)
    small = [
        ("as written", tiny_network, tiny_recipe),
        ("+ smoothing", tiny_network, tiny_recipe.with_changes(label_smoothing=0.2)),
        ("+ a higher rate", tiny_network, tiny_recipe.with_changes(lr=0.05)),
    ]
    monkeypatch.setattr(write_up_004_steps, "steps", lambda: small)
    monkeypatch.setattr(write_up_004_steps, "EPOCHS", 2)
    reproduce(tmp_path, tmp_path / "work", tmp_path, quick=False)
    folder = tmp_path / "write-up-004-steps"
    told = json.loads((folder / "result.json").read_text())
    labels = ["as written", "+ smoothing", "+ a higher rate", "+ mirrored views at test"]
    assert [row["label"] for row in told["rows"]] == labels
    names = {f"step-{number}-{seed}" for number in range(3) for seed in range(3)}
    assert {path.name for path in (folder / "runs").iterdir()} == names
    assert all(row["seeds"] == [0, 1, 2] for row in told["rows"])
    means = [row["mean"] for row in told["rows"]]
    gains = [after - before for before, after in pairwise(means)]
    best = gains.index(max(gains))
    assert told["verdict"].endswith(f"{labels[best + 1][2:]} ({100 * gains[best]:+.1f} points).")
    assert (folder / "curves.png").is_file()
    assert told["verdict"] in capsys.readouterr().out
