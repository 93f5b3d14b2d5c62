"""Whether networks and pictures go together: of one size, and, where labels are compared, of the same classes."""

from collections.abc import Sequence
from pathlib import Path

from alexnet.data.augment import crop_places
from alexnet.data.split import Split
from alexnet.errors import UsageError
from alexnet.runs.trained import Trained


def check_fit(trained: Sequence[Trained], split: Split, crops: int) -> None:
    """Refuse networks that cannot be averaged, or cannot be shown these pictures.

    Raises:
        UsageError: If so.
    """
    crop_places(crops, 0)
    if not trained:
        raise UsageError("there is nothing to evaluate: give one run or more")
    if any(other.classes != trained[0].classes for other in trained):
        raise UsageError("these runs know different classes: average runs of the same classes only")
    sides = sorted({one.view.stored_side for one in trained})
    if len(sides) > 1:
        raise UsageError(
            f"these runs learned from pictures of {' and '.join(map(str, sides))} pixels: average runs of one size only"
        )
    if sides != [split.side]:
        raise UsageError(
            f"{split.name} has pictures of {split.side} pixels, the network learned from {sides[0]}: "
            f"prepare them with --side {sides[0]}"
        )


def check_classes(trained: Trained, split: Split, name: Path | str = "the network") -> None:
    """Refuse a network whose classes are not the split's, in the same order; the first that differs is named.

    Labels are places in a list of names: of another order they would be compared without an error, and wrongly.

    Args:
        trained: The network.
        split: Whose labels its answers are to be compared with.
        name: What the message calls the network.

    Raises:
        UsageError: If so.
    """
    if trained.classes == split.classes:
        return
    if sorted(trained.classes) == sorted(split.classes):
        how = "the same ones in another order"
    elif len(trained.classes) != len(split.classes):
        how = f"{len(split.classes)}, not {len(trained.classes)}"
    else:
        pairs = zip(split.classes, trained.classes, strict=True)
        how = "{}, not {}".format(*next(pair for pair in pairs if pair[0] != pair[1]))
    raise UsageError(f"{split.folder} has other classes than {name} ({how}): evaluate on a store of the same classes")
