"""Tests of alexnet.experiments.fine_tune_dogs."""

from alexnet.data.preparation import prepare
from alexnet.experiments import fine_tune_dogs
from alexnet.experiments.fine_tune_dogs import reproduce


def test_the_photographs_are_divided_and_every_seed_is_trained(features, photos, tmp_path, monkeypatch):
    asked, trained = [], []

    def few(kind, source, path, **shares):
        asked.append((kind, source, shares))
        return prepare(kind, photos, path, side=32)

    monkeypatch.setattr(fine_tune_dogs, "prepare", few)
    monkeypatch.setattr(fine_tune_dogs, "fine_tune", lambda *given, **named: trained.append((given, named)))
    for quick in (False, True):
        reproduce(features, tmp_path / "work", tmp_path, quick)
    place = features / "stanford-dogs-originals" / "Images"
    assert asked == [("folder", place, {"val_share": 0.1057, "test_share": 0.25})] * 2
    seeds = [(given[0], given[3], named["epochs"]) for given, named in trained]
    assert seeds == [("fine-tune-dogs", (0, 1, 2), 0), ("fine-tune-dogs", (0,), 1)]
    assert sorted(trained[0][0][2].tensors)[0] == "conv1.bias"
