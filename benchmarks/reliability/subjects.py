"""One small training in the way of one library: what `compare.py` kills, damages and starts again.

    subjects.py NAME FOLDER [--width N] [--epochs N] [--each-step] [--pause SECONDS] [--nan-at STEP]
    subjects.py NAME FOLDER --flips N

The network (dropout in it), data, order and optimizer (momentum, a rate that falls) are the same for all. It resumes
from what lies in FOLDER, prints `STEP n` for each update and at the end `END` with a hash of the weights. With --flips
it loads the newest checkpoint N times by the library's own loader, each time with one other bit flipped.
"""

import argparse
import hashlib
import random
import sys
import time
from itertools import islice
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BATCH, PICTURES, INPUTS = 6, 48, 192


def network(width):
    torch.manual_seed(0)
    layers = [nn.Linear(INPUTS, width), nn.ReLU(), nn.Dropout(0.5), nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def loader():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(PICTURES, INPUTS, generator=generator)
    labels = torch.randint(0, 10, (PICTURES,), generator=generator)
    return DataLoader(TensorDataset(pictures, labels), batch_size=BATCH, shuffle=True)


def optimizers(parameters):
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=5e-4)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)


class Steps:
    """Counts updates aloud; spoils the loss of one if asked to."""

    def __init__(self, options):
        self.options, self.done = options, 0

    def loss(self, scores, labels):
        loss = nn.functional.cross_entropy(scores, labels)
        return loss * float("nan") if self.done + 1 == self.options.nan_at else loss

    def count(self):
        self.done += 1
        time.sleep(self.options.pause)
        print("STEP", self.done, flush=True)


def end(module):
    digest = hashlib.sha256()
    for tensor in module.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    finite = all(tensor.isfinite().all() for tensor in module.state_dict().values())
    print("END", digest.hexdigest(), "finite" if finite else "NaN", flush=True)


def lightning(options):
    """PyTorch Lightning: its Trainer and ModelCheckpoint, resumed by ckpt_path="last"."""
    import pytorch_lightning as pl

    steps = Steps(options)

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = network(options.width)

        def training_step(self, batch, index):
            return steps.loss(self.net(batch[0]), batch[1])

        def on_train_batch_end(self, *_):
            steps.count()

        def configure_optimizers(self):
            optimizer, schedule = optimizers(self.parameters())
            return [optimizer], [schedule]

    pl.seed_everything(0)
    often = {"every_n_train_steps": 1} if options.each_step else {"every_n_epochs": 1}
    keep = pl.callbacks.ModelCheckpoint(dirpath=options.folder, save_last=True, **often)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=options.epochs, accelerator="cpu", callbacks=[keep], **quiet)
    module = Module()
    trainer.fit(module, loader(), ckpt_path="last")
    end(module.net)


def composer(options):
    """MosaicML Composer: its Trainer with autoresume."""
    from composer import Callback, Trainer
    from composer.models import ComposerClassifier

    steps = Steps(options)

    class Told(Callback):
        def batch_end(self, state, logger):
            steps.count()

    net = network(options.width)
    optimizer, schedule = optimizers(net.parameters())
    trainer = Trainer(
        model=ComposerClassifier(net, num_classes=10, loss_fn=lambda scores, labels: steps.loss(scores, labels)),
        train_dataloader=loader(),
        optimizers=optimizer,
        schedulers=schedule,
        max_duration=f"{options.epochs}ep",
        seed=0,
        device="cpu",
        run_name="run",
        save_folder=str(options.folder),
        save_interval="1ba" if options.each_step else "1ep",
        save_num_checkpoints_to_keep=2,
        autoresume=True,
        progress_bar=False,
        callbacks=[Told()],
    )
    trainer.fit()
    end(net)


def by_hand(options, save, restore):
    """A plain loop, for libraries that bring only the saving; a checkpoint an epoch, which may be of one step."""
    steps, net = Steps(options), network(options.width)
    optimizer, schedule = optimizers(net.parameters())
    torch.manual_seed(0)
    per_epoch = 1 if options.each_step else PICTURES // BATCH
    for epoch in range(restore(net, optimizer, schedule), options.epochs * PICTURES // BATCH // per_epoch):
        for pictures, labels in islice(loader(), per_epoch):
            optimizer.zero_grad()
            steps.loss(net(pictures), labels).backward()
            optimizer.step()
            steps.count()
        schedule.step()
        save(net, optimizer, schedule, epoch)
    end(net)


def timm(options):
    """timm: CheckpointSaver and resume_checkpoint, as its train.py uses them."""
    from timm.models import resume_checkpoint
    from timm.utils import CheckpointSaver

    last = options.folder / "last.pth.tar"

    def save(net, optimizer, schedule, epoch):
        saver = CheckpointSaver(net, optimizer, checkpoint_dir=str(options.folder), max_history=2)
        saver.save_checkpoint(epoch)

    def restore(net, optimizer, schedule):
        epoch = resume_checkpoint(net, str(last), optimizer) if last.exists() else 0
        for _ in range(epoch or 0):
            schedule.step()
        return epoch or 0

    by_hand(options, save, restore)


def torchvision(options):
    """What torchvision's reference script does: torch.save over the same file, an epoch's end."""
    last = options.folder / "checkpoint.pth"

    def save(net, optimizer, schedule, epoch):
        parts = {"model": net, "optimizer": optimizer, "lr_scheduler": schedule}
        torch.save({**{name: part.state_dict() for name, part in parts.items()}, "epoch": epoch}, last)

    def restore(net, optimizer, schedule):
        if not last.exists():
            return 0
        held = torch.load(last, map_location="cpu", weights_only=True)
        for name, part in (("model", net), ("optimizer", optimizer), ("lr_scheduler", schedule)):
            part.load_state_dict(held[name])
        return held["epoch"] + 1

    by_hand(options, save, restore)


SUBJECTS = {"lightning": lightning, "composer": composer, "timm": timm, "torchvision": torchvision}


def newest(name, folder):
    """Find the file that each would resume from."""
    places = {"lightning": "last.ckpt", "composer": "latest-rank0.pt", "timm": "last.pth.tar"}
    return folder / places.get(name, "checkpoint.pth")


def load(name, path):
    """Load a checkpoint as the library does."""
    if name == "lightning":
        from lightning_fabric.utilities.cloud_io import _load

        return _load(path, map_location="cpu", weights_only=False)
    if name == "timm":
        from timm.models._helpers import _torch_load

        return _torch_load(str(path), map_location="cpu", weights_only=False)
    return torch.load(path, map_location="cpu", weights_only=name == "torchvision")


def flips(name, folder, count):
    """Flip one bit after another; count those that the loader notices."""
    path, noticed, chance = newest(name, folder), 0, random.Random(0)
    data = path.read_bytes()
    for _ in range(count):
        bit = chance.randrange(8 * len(data))
        other = bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        (folder / "flipped").write_bytes(other)
        try:
            load(name, folder / "flipped")
        except Exception:
            noticed += 1
    print("NOTICED", noticed, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SUBJECTS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--each-step", action="store_true")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--nan-at", type=int, default=0)
    parser.add_argument("--flips", type=int, default=0)
    parser.add_argument("--load", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.load:
        load(options.name, options.load)
    elif options.flips:
        flips(options.name, options.folder, options.flips)
    else:
        SUBJECTS[options.name](options)


def declare_operators():
    """Let torchvision be imported where its compiled part fits another torch; nothing here uses these operators."""
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return operators


if __name__ == "__main__":
    operators = declare_operators()
    sys.exit(main())
