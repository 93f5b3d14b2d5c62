"""Write-up 003: the ImageNet recipe, from the archives to the last epoch; and what the whole of it would take.

It retells the paper: 1.2 million pictures of 1,000 classes, views of 227 out of 256, 90 epochs, the rate divided by ten
three times where the validation error stands still; and it puts the normalisation before the activation, where the
paper has it after. The commands for the real thing:

    alexnet prepare imagenet ILSVRC2012 imagenet.store      ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar, labels
    alexnet train imagenet.store --arch paper --vary side=227 response_norm_place=before --recipe write-up-003

Here the same path is taken with the pictures at hand, packed as ILSVRC2012 is: ten classes, 1,000 pictures to train,
400 to validate, and a fifth of the schedule. So few pictures make 8 updates an epoch at the batches of 128, and
N(0, 0.01) waits for more of them than there are: *as written* says what the recipe does to a small set, not what it
does to ImageNet. What the place of the normalisation brings is therefore measured a second time where something is
learned, by `fast`: *ours*. The protocol, chosen before these runs:

- normalisation before the activation against after, all else alike, by both recipes; seeds 0, 1, 2 of each.
- 18 of the 90 epochs, and 1 epoch of patience for 5; bfloat16, because two cores need twice the time in float32. As
  written a training ends before the 18 where the error stands still once more after the third fall of the rate.
- metric: top-1 and loss on the validation pictures after the last epoch. As written they decide when the rate falls.
- ours is the recipe `fast` with random-resized crops of a quarter of the picture or more: few pictures need variety.

What the whole would take is reckoned from the speeds measured here. No GPU was at hand: for GPUs there is the number of
operations, and the time that they take at an assumed speed; whatever else a GPU does is not in it.
"""

import io
import statistics
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

from alexnet.architectures import Architecture
from alexnet.catalogue import PAPER
from alexnet.data.contents import bytes_on_disk
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.durable import atomic_file, write_atomic
from alexnet.errors import UsageError
from alexnet.experiments.evidence import Row, keep
from alexnet.experiments.trial import Trial
from alexnet.layers import Convolution
from alexnet.recipe import Recipe
from alexnet.recipes import FAST, RECIPES
from alexnet.report.curves import draw_curves
from alexnet.variations import vary

SEEDS = (0, 1, 2)
FOLDER = "imagenette224-subset"
PLACES = ("before", "after")
METRICS = ("val_top1", "val_top5", "val_loss")
# The write-up's figures for the whole.
TRAINING, VALIDATION, CLASSES = 1_200_000, 50_000, 1000
# By what the schedule is shortened.
FACTOR = 5
# What a GPU is assumed to sustain, operations a second; not measured.
ASSUMED = 100e12
COMMAND = "alexnet train imagenet.store --arch paper --vary side=227 response_norm_place=before --recipe write-up-003"


def network(place: str) -> Architecture:
    """Give the write-up's network: the paper's towers, inputs of 227; the norm `before` the activation, or `after`."""
    return vary(PAPER, "side=227", f"response_norm_place={place}")


def recipes(quick: bool) -> dict[str, Recipe]:
    """Give the write-up's recipe with its schedule shortened, and ours of as many epochs."""
    whole = RECIPES["write-up-003"]
    epochs, patience = whole.epochs // FACTOR, round(whole.lr_patience / FACTOR)
    short = whole.with_changes(epochs=epochs, lr_patience=patience, precision="bfloat16")
    listed = {"as written": short, "ours": FAST.with_changes(epochs=epochs, crop="random-resized", crop_scale_low=0.25)}
    fewer = {"epochs": 1, "max_updates": 3, "warmup_epochs": 0.0}
    return {name: one.with_changes(**fewer) if quick else one for name, one in listed.items()}


def pack(source: Path, folder: Path) -> None:
    """Pack pictures in folders by class as ILSVRC2012 is given out: a tar of tars, a flat tar, and a list of labels.

    Args:
        source: Folder of `train` and `val`, each with a folder for each WordNet id.
        folder: Gets `ILSVRC2012_img_train.tar`, `ILSVRC2012_img_val.tar` and `val.txt`.

    Raises:
        UsageError: If there is no such folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    train, val = (
        {of_class.name: sorted(of_class.iterdir()) for of_class in sorted((source / split).glob("n*"))}
        for split in ("train", "val")
    )
    if not train or not val:
        raise UsageError(f"{source} has no train and val with folders named by WordNet ids: give --data its parent")
    inner = {f"{wnid}.tar": tarred({file.name: file.read_bytes() for file in files}) for wnid, files in train.items()}
    flat = {file.name: file.read_bytes() for files in val.values() for file in files}
    for name, members in (("ILSVRC2012_img_train.tar", inner), ("ILSVRC2012_img_val.tar", flat)):
        with atomic_file(folder / name) as stream:
            stream.write(tarred(members))
    labels = "".join(f"{file.name} {wnid}\n" for wnid, files in val.items() for file in files)
    write_atomic(folder / "val.txt", labels.encode())


def tarred(members: dict[str, bytes]) -> bytes:
    """Write a tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return stream.getvalue()


@dataclass(frozen=True)
class Speeds:
    """What was measured here.

    Attributes:
        prepared: Pictures made into a store, a second.
        trained: Pictures learned from, a second.
        stored: Bytes of a picture in the store, by the form of the records.
    """

    prepared: float
    trained: float
    stored: dict[str, float]

    @staticmethod
    def of(store: Store, seconds: float, jpegs: Store, trial: Trial) -> "Speeds":
        """Gather them from stores of the same pictures and from a finished trial."""
        images = sum(map(len, store.splits.values()))
        stored = {one.records: bytes_on_disk(one) / images for one in (store, jpegs)}
        logs = [row for run in trial.runs.values() for row in run.log()]
        return Speeds(images / seconds, statistics.median(row["images_per_second"] for row in logs), stored)


def operations(architecture: Architecture) -> int:
    """Count floating-point operations of learning from one picture: three products per layer, two in the first.

    Forwards, backwards to the weights, and backwards to the layer's input, which nobody needs of the picture itself.
    A multiplication and an addition count as two.
    """
    first = next(row for row in architecture.rows() if isinstance(row.layer, Convolution))
    return 2 * (3 * architecture.macs - first.macs)


def reckoned(speeds: Speeds, epochs: int) -> list[Row]:
    """Reckon what the whole would take; every row says what it rests on."""
    pictures = TRAINING + VALIDATION
    total = TRAINING * epochs
    flop = total * operations(network("before").with_classes(CLASSES))
    hours = flop / ASSUMED / 3600
    gigabytes_a_second = total / (hours * 3600) * speeds.stored["raw"] / 1e9
    assumed = f"{flop:.3g} operations; ASSUMED, not measured: {ASSUMED / 1e12:.0f} TFLOP/s sustained"
    alone = f"{assumed}; reads {gigabytes_a_second:.1f} GB/s"
    eight = f"{assumed} by each, no loss between them; reads {8 * gigabytes_a_second:.0f} GB/s"
    small = "the pictures at hand have 224 × 224 pixels; ImageNet's are larger, and take longer"
    told = [
        ("store of raw records", "GB", pictures * speeds.stored["raw"] / 1e9, ""),
        ("store of JPEG records", "GB", pictures * speeds.stored["jpeg"] / 1e9, "quality 90; of the pictures at hand"),
        ("preparing it", "hours", pictures / speeds.prepared / 3600, f"{speeds.prepared:.0f} images/s; {small}"),
        (
            "training on this CPU",
            "days",
            total / speeds.trained / 86_400,
            f"{speeds.trained:.0f} images/s, with ten classes",
        ),
        ("training on 1 GPU", "hours", hours, alone),
        ("training on 8 GPUs", "hours", hours / 8, f"{eight}; this version trains on one device"),
    ]
    what = f"reckoned, {TRAINING:,} pictures, {epochs} epochs"
    return [Row(f"{what}: {label}", metric, None, (value,), SEEDS[:1], note) for label, metric, value, note in told]


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Pack, prepare, train in four ways, keep and print the table with what the whole would take.

    Args:
        data: Folder that holds `imagenette224-subset`.
        work: Folder for archives, stores and runs.
        results: Folder for the evidence.
        quick: Three updates of one seed each.
    """
    begun = time.perf_counter()
    pack(data / FOLDER, work / "ILSVRC2012")
    packed = time.perf_counter()
    store = prepare("imagenet", work / "ILSVRC2012", work / "store", records="raw")
    prepared = time.perf_counter()
    jpegs = prepare("imagenet", work / "ILSVRC2012", work / "store-jpeg", records="jpeg")
    seconds = time.perf_counter() - begun
    seeds = SEEDS[:1] if quick else SEEDS
    trials = [
        Trial.of(f"{name}, norm {place} the activation", store, network(place), recipe, seeds, work)
        for name, recipe in recipes(quick).items()
        for place in PLACES
    ]
    rows = [trial.last(metric) for trial in trials for metric in METRICS]
    tops = rows[:: len(METRICS)]
    speeds = Speeds.of(store, prepared - packed, jpegs, trials[0])
    whole = RECIPES["write-up-003"].epochs
    rows += reckoned(speeds, whole)
    found = "; ".join(
        f"{trial.label} {statistics.fmean(top.values):.1%}" for trial, top in zip(trials, tops, strict=True)
    )
    verdict = (
        f"Top-1 on {len(store.splits['train']):,} pictures in ILSVRC2012's layout, the schedule of {whole} epochs "
        f"shortened to {whole // FACTOR}: {found}. "
        f"The real thing: `alexnet prepare imagenet ILSVRC2012 imagenet.store`, then `{COMMAND}`."
    )
    runs = {name: run for trial in trials for name, run in trial.named_runs.items()}
    minutes = (seconds + sum(trial.seconds for trial in trials)) / 60
    folder = keep(results, "write-up-003", minutes, rows, verdict, runs)
    draw_curves([trial.runs[seeds[0]].path for trial in trials], folder / "curves.png")
