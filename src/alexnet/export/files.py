"""A network for other runtimes: ONNX (`.onnx`) or PyTorch's exported program (`.pt2`), compared before it is written.

One file holds all; its metadata tells the classes, what goes in and out, and the digest of the network.
"""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from alexnet.architectures import INPUTS
from alexnet.durable import write_atomic
from alexnet.errors import AlexNetError, UsageError
from alexnet.export.program import Program
from alexnet.features import network_digest
from alexnet.runs.trained import Trained

ENDINGS = (".onnx", ".pt2")
# How far an exported network may be from its original, relative to the largest answer; rounding makes about 1e-6.
TOLERANCE = 1e-5
TOP = 5
BATCH = 50  # pictures that are compared at a time

Answer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Comparison:
    """How an exported network compares with its original.

    Attributes:
        pictures: Compared.
        difference: The largest between two answers, relative to the largest answer.
        same_top: Pictures with the same best five classes; of equally good ones any counts as the same.
    """

    pictures: int
    difference: float
    same_top: int


def export(
    trained: Trained, path: Path, pictures: UInt8[np.ndarray, "n side side 3"], bare: bool = False
) -> Comparison:
    """Write a network for other runtimes, whole or not at all, after comparing its answers in float32.

    Args:
        trained: The network with its view.
        path: Ends in `.onnx` or `.pt2`.
        pictures: As the store holds them: what is compared.
        bare: Leave out what is before and after the network.

    Raises:
        UsageError: If the ending is another, there is no picture, or the extra `export` is not installed.
        AlexNetError: If the exported network answers otherwise, or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"{path}: a network is exported as {' or '.join(ENDINGS)}: end its name so")
    if not len(pictures):
        raise UsageError("there is no picture to compare the exported network on: give one or more")
    refuse_without_extra(path)
    program = Program(trained, bare).eval()
    facts = told(trained, bare)
    data, answer = (_as_onnx if ending == ".onnx" else _as_pt2)(program, example(trained, bare), facts)
    found = compare(trained, answer, pictures, bare)
    if not found.difference <= TOLERANCE or found.same_top < found.pictures:
        raise AlexNetError(
            f"{path} was not written: the exported one differs by {found.difference:.1e}, with the same best {TOP}"
            f" for {found.same_top} of {found.pictures} pictures: export its weights instead, as .safetensors"
        )
    write_atomic(path, data)
    return found


def refuse_without_extra(path: Path) -> None:
    """Refuse ONNX where what writes and reads it is missing.

    Raises:
        UsageError: If so.
    """
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if path.suffix.lower() == ".onnx" and missing:
        raise UsageError(f"{path} needs {', '.join(missing)}: pip install 'alexnet[export]'")


def told(trained: Trained, bare: bool) -> dict[str, str]:
    """Tell what whoever has the file alone must know."""
    architecture, side, stored = trained.network.architecture, trained.view.side, trained.view.stored_side
    pixels = INPUTS[architecture.input]
    taken = f"float32 [n, 3, {side}, {side}]: {pixels}" if bare else f"uint8 [n, {stored}, {stored}, 3]: RGB pictures"
    return {
        "alexnet_version": version("alexnet"),
        "architecture": json.dumps(architecture.to_json()),
        "classes": json.dumps(trained.classes),
        "digest": network_digest(trained),
        "input": taken,
        "output": f"float32 [n, {architecture.classes}]: {'scores' if bare else 'probabilities'}",
    }


def example(trained: Trained, bare: bool) -> Tensor:
    """Give an input of the right form; two pictures, because one is taken for a constant."""
    side, stored = trained.view.side, trained.view.stored_side
    return torch.zeros(2, 3, side, side) if bare else torch.zeros(2, stored, stored, 3, dtype=torch.uint8)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep back what PyTorch's exporters have to say of themselves."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _as_onnx(program: Program, given: Tensor, facts: dict[str, str]) -> tuple[bytes, Answer]:
    """Give the file's content, and the network as onnxruntime runs it."""
    data: bytes = onnx_model(program, given, facts).SerializeToString()
    return data, session(data)


def onnx_model(program: Program, given: Tensor, facts: dict[str, str]) -> Any:
    """Make an ONNX model of a program, checked to be sound."""
    import onnx

    names = ("input", "scores") if given.is_floating_point() else ("pictures", "probabilities")
    with quietly():
        shapes = ({0: torch.export.Dim("n")},)
        made: Any = torch.onnx.export(
            program, (given,), dynamic_shapes=shapes, input_names=names[:1], output_names=names[1:], verbose=False
        )
    made.model.metadata_props.update(facts)
    for node in made.model.graph:
        node.metadata_props.clear()  # names of files on this machine
    onnx.checker.check_model(made.model_proto)
    return made.model_proto


def session(data: bytes) -> Answer:
    """Run an ONNX file's content on the CPU."""
    import onnxruntime

    running = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (taken,) = running.get_inputs()
    return lambda x: torch.from_numpy(running.run(None, {taken.name: x.numpy()})[0])


def _as_pt2(program: Program, given: Tensor, facts: dict[str, str]) -> tuple[bytes, Answer]:
    """Give the file's content, and the network as it is read back."""
    with quietly(), torch.no_grad():
        made = torch.export.export(program, (given,), dynamic_shapes=({0: torch.export.Dim("n")},))
        for node in made.graph.nodes:
            node.meta.pop("stack_trace", None)  # names of files on this machine
        stream = io.BytesIO()
        torch.export.save(made, stream, extra_files={"alexnet.json": json.dumps(facts)})
        data = stream.getvalue()
        back: Answer = torch.export.load(io.BytesIO(data)).module()
    return data, back


@torch.no_grad()
def compare(trained: Trained, answer: Answer, pictures: UInt8[np.ndarray, "n side side 3"], bare: bool) -> Comparison:
    """Compare an exported network with its original on some pictures.

    Args:
        trained: The original; its layers compute in float32 here, whatever it was trained in.
        answer: What the exported one gives for pictures, or for the network's own input if it is bare.
        pictures: As the store holds them.
        bare: Whether scores are compared, else probabilities.
    """
    differences, largest, same = [], 0.0, 0
    for group in torch.from_numpy(pictures).split(BATCH):
        (view,) = trained.view.test(group.to(trained.device), 1)
        scores = trained.network(view).cpu()
        mine = scores if bare else scores.softmax(1)
        theirs = answer(view.cpu().contiguous() if bare else group)
        differences.append((mine - theirs).abs().max().item())
        largest = max(largest, mine.abs().max().item())
        same += _same_top(mine, theirs, TOLERANCE * mine.abs().max().item())
    return Comparison(len(pictures), max(differences) / largest, same)


def _same_top(mine: Float32[Tensor, "n classes"], theirs: Float32[Tensor, "n classes"], tie: float) -> int:
    """Count the pictures whose best classes are the same."""
    top = min(TOP, mine.shape[1])
    best, chosen = mine.topk(top).values, mine.gather(1, theirs.topk(top).indices)
    return int(((best - chosen).abs() <= tie).all(1).sum())
