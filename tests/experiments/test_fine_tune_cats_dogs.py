"""Tests of alexnet.experiments.fine_tune_cats_dogs."""

from alexnet.data.preparation import prepare
from alexnet.experiments import fine_tune_cats_dogs
from alexnet.experiments.fine_tune_cats_dogs import reproduce


def test_a_tenth_each_is_held_out_and_the_recipe_trains_on_the_rest(features, photos, tmp_path, monkeypatch):
    asked, trained = [], []

    def few(kind, source, path, **options):
        asked.append((kind, source, options))
        return prepare("folder", photos, path, side=32)

    monkeypatch.setattr(fine_tune_cats_dogs, "prepare", few)
    monkeypatch.setattr(fine_tune_cats_dogs, "fine_tune", lambda *given: trained.append(given))
    for quick in (False, True):
        reproduce(features, tmp_path / "work", tmp_path, quick)
    place = features / "cats-dogs-200px-4000"
    assert asked == [
        ("cats-dogs", place, {"val_share": 0.1, "test_share": 0.1}),
        ("cats-dogs", place, {"val_share": 0.75, "test_share": 0.02}),
    ]
    assert [(given[0], given[3], given[6]) for given in trained] == [
        ("fine-tune-cats-dogs", (0,), 5),
        ("fine-tune-cats-dogs", (0,), 1),
    ]
