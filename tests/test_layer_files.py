"""The authors' other runs change what their layer files say, and nothing else; other networks are refused."""

from dataclasses import replace

import pytest

from alexnet.catalogue import AUTHORS_2012, CIFAR_18PCT
from alexnet.errors import UsageError
from alexnet.layer_files import RUN_147, RUN_150, as_in_2012


@pytest.mark.parametrize(("fields", "parameters"), [(RUN_147, 60_965_224), (RUN_150, 60_714_408)])
def test_fields_are_changed_in_the_layers_that_are_named(fields, parameters):
    changed = as_in_2012(AUTHORS_2012, "run", fields)
    assert changed.parameters == parameters
    pairs = list(zip(AUTHORS_2012.layers, changed.layers, strict=True))
    assert {before.name for before, after in pairs if before != after} == fields.keys()
    assert all(after == replace(before, **fields.get(before.name, {})) for before, after in pairs)
    assert replace(changed, layers=AUTHORS_2012.layers) == AUTHORS_2012


def test_a_network_without_one_of_the_layers_is_refused():
    with pytest.raises(UsageError, match="run 147 changes conv5, which cifar-18pct has not: use it with paper"):
        as_in_2012(CIFAR_18PCT, "run 147", RUN_147)
