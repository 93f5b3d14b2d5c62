"""What is in a store, in words: counts, files not used, equal pictures, classes, first rows."""

from typing import TYPE_CHECKING

from alexnet.cli.options import Options
from alexnet.errors import printable

if TYPE_CHECKING:
    from alexnet.data.duplicates import Group
    from alexnet.data.store import Store

TABLE = 40  # classes that are listed without being asked for
REASONS, FILES = 10, 3  # reasons, and files of each, that are listed
LEAKS, EQUAL = 10, 4  # groups with training pictures elsewhere, and pictures of each, that are listed
WHOLE_ONE_HOT = 12  # classes up to which a one-hot label is written out
FILE_LETTERS = 48


def tell(store: "Store", groups: list["Group"], options: Options) -> None:
    """Print what is in a store; `groups` are its duplicates."""
    from alexnet.data.contents import bytes_on_disk

    tell_splits(store)
    print(f"  {bytes_on_disk(store) / 1e6:,.1f} MB on disk")
    tell_lost(store)
    tell_duplicates(store, groups, options.duplicates)
    for what, values in (
        ("mean RGB", store.statistics.mean),
        ("deviation RGB", store.statistics.deviation),
        ("deviation along the colour axes", store.statistics.colour_deviations),
    ):
        print(f"  {what} {', '.join(f'{value:.1f}' for value in values)}")
    tell_classes(store, options.classes)
    if options.head is not None:
        tell_head(store, options.split, options.head)


def tell_splits(store: "Store") -> None:
    """Print how many pictures there are, and how evenly the classes share them."""
    from alexnet.data.contents import class_counts

    print(f"{store.path}: {len(store.classes)} classes, {store.side}×{store.side} pixels")
    for name, counts in class_counts(store).items():
        spread = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
        print(f"  {name:5} {sum(counts):>9,} images, {spread} a class")


def tell_lost(store: "Store") -> None:
    """Print why files were not used, the most frequent reasons first, each with a few names."""
    from alexnet.data.contents import lost

    for state, reasons in lost(store).items():
        for reason, files in list(reasons.items())[:REASONS]:
            more = "" if len(files) <= FILES else ", …"
            print(f"  {state}: {len(files):,} × {printable(reason)}: {', '.join(map(printable, files[:FILES]))}{more}")
        if rest := list(reasons.values())[REASONS:]:
            print(f"  {state}: {sum(map(len, rest)):,} × {len(rest):,} other reasons: see report.json")


def tell_duplicates(store: "Store", groups: list["Group"], every: bool) -> None:
    """Print how many pictures are equal, and which of the training pictures also stand in another split."""
    if not groups:
        return print("  duplicates: none")
    extra = {split: sum(max(0, len(group.inside(split)) - 1) for group in groups) for split in store.splits}
    repeats = ", ".join(f"{count:,} in {split}" for split, count in extra.items())
    across = sum(len(group.splits) > 1 for group in groups)
    counted = f"{len(groups):,} group{'s' * (len(groups) > 1)}"
    print(f"  duplicates: {counted} of equal pictures, {across:,} in several splits; repeats: {repeats}")
    leaks = [group for group in groups if group.leaks]
    if leaks:
        number = sum(len(group.inside("train")) for group in leaks)
        others = " or ".join(dict.fromkeys(split for group in leaks for split in group.splits if split != "train"))
        verb = "picture also stands" if number == 1 else "pictures also stand"
        print(f"  warning: {number:,} training {verb} in {others}, where what was learned by heart counts as right")
    shown = groups if every else leaks[:LEAKS]
    for group in shown:
        print(f"    {equal(store, group, len(group.places) if every else EQUAL)}")
    if len(shown) < len(leaks):
        print(f"    … and {len(leaks) - len(shown):,} more")
    if len(shown) < len(groups):
        print("  --duplicates lists all groups")
    return None


def equal(store: "Store", group: "Group", number: int) -> str:
    """Tell a group of equal pictures, or the first few of it, in a line."""
    from alexnet.data.contents import group_rows

    rows = group_rows(store, group)
    differ = len({row["class"] for row in rows}) > 1
    classes = [f", {printable(row['class'])}" if differ else "" for row in rows]
    told = [f"{printable(row['file'])} ({row['split']}{name})" for row, name in zip(rows, classes, strict=True)]
    more = f" = {len(rows) - number:,} more" if len(rows) > number else ""
    return " = ".join(told[:number]) + more + (": classes differ" if differ else "")


def tell_classes(store: "Store", every: bool) -> None:
    """Print the classes with their pictures; of many, the smallest and the largest alone."""
    from alexnet.data.contents import class_counts

    counts, names = class_counts(store), [printable(name) for name in store.classes]
    if len(names) > TABLE and not every:
        train = counts["train"]
        few, many = train.index(min(train)), train.index(max(train))
        print(f"  classes {', '.join(names[:3])}, … {names[-1]}: --classes lists all {len(names):,}")
        for what, label in (("fewest", few), ("most", many)):
            print(f"  {what} train images: {train[label]:,} of {names[label]}")
        return
    wide = max(len("class"), *map(len, names))
    print(f"  label  {'class':{wide}}" + "".join(f" {split:>9}" for split in counts))
    for label, name in enumerate(names):
        print(f"  {label:>5}  {name:{wide}}" + "".join(f" {counts[split][label]:>9,}" for split in counts))


def tell_head(store: "Store", split: str, count: int) -> None:
    """Print the first rows of a split."""
    from alexnet.data.contents import head

    rows = head(store, split, count)
    print(f"{split}: the first {len(rows):,} of {len(store.splits[split]):,}")
    files = [printable(row["file"]) for row in rows]
    files = [file if len(file) <= FILE_LETTERS else "…" + file[1 - FILE_LETTERS :] for file in files]
    wide = max(map(len, ("file", *files)))
    names = [printable(row["class"]) for row in rows]
    named = max(map(len, ("class", *names)))
    print(f"  {'file':{wide}}  {'class':{named}}  label  one-hot")
    for file, name, row in zip(files, names, rows, strict=True):
        print(f"  {file:{wide}}  {name:{named}}  {row['label']:>5}  {short_one_hot(row['one_hot'])}")


def short_one_hot(one_hot: list[int]) -> str:
    """Write a one-hot label; of many classes, its ends and the neighbourhood of the 1."""
    last, one = len(one_hot) - 1, one_hot.index(1)
    kept = {0, 1, one - 1, one, one + 1, last - 1, last} & set(range(last + 1))
    places = range(last + 1) if last < WHOLE_ONE_HOT else sorted(kept)
    words, before = [], -1
    for place in places:
        words += ["…"] * (place > before + 1) + [str(one_hot[place])]
        before = place
    return f"[{' '.join(words)}]"
