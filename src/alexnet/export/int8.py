"""An ONNX file whose weights and values between layers are 8-bit integers: a quarter of the size, faster on a CPU.

Ranges of the values come from training pictures that are shown to the network (static quantisation). Response
normalisation stays in float32: the squares that it sums span too many orders of magnitude for 8 bits.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from alexnet.durable import write_atomic
from alexnet.errors import AlexNetError, UsageError
from alexnet.export.files import example, onnx_model, quietly, refuse_without_extra, session, told
from alexnet.export.program import Program
from alexnet.runs.trained import Trained

# Part of the held-out pictures that the integers may cost.
LOSS = 0.01
BATCH = 32


@dataclass(frozen=True)
class Accuracy:
    """What the integers cost.

    Attributes:
        pictures: Measured on.
        before: Share of them that the network recognises in float32.
        after: Share of them that it recognises in integers.
    """

    pictures: int
    before: float
    after: float


def export_int8(
    trained: Trained,
    path: Path,
    shown: UInt8[np.ndarray, "m side side 3"],
    pictures: UInt8[np.ndarray, "n side side 3"],
    labels: Int64[np.ndarray, "n"],
) -> Accuracy:
    """Write a network as ONNX in 8-bit integers, whole or not at all, after measuring what they cost.

    Args:
        trained: The network with its view.
        path: Ends in `.onnx`.
        shown: Training pictures, as the store holds them, for the ranges of values; a hundred are enough.
        pictures: Others, to measure on.
        labels: Their classes.

    Raises:
        UsageError: If the ending is another, a picture is missing, or the extra `export` is not installed.
        AlexNetError: If more than 1 % of the pictures is no longer recognised, or the file cannot be written.
    """
    if path.suffix.lower() != ".onnx":
        raise UsageError(f"{path}: 8-bit integers are written as .onnx only: end its name so")
    if not len(shown) or not len(pictures):
        raise UsageError("8-bit integers need training pictures and held-out ones: give some of both")
    refuse_without_extra(path)
    program, facts = Program(trained, bare=False).eval(), told(trained, bare=False)
    plain: bytes = onnx_model(program, example(trained, bare=False), facts).SerializeToString()
    quantised = _quantise(plain, shown)
    right = [_right(content, pictures, labels) for content in (plain, quantised)]
    found = Accuracy(len(pictures), *(float(np.mean(one)) for one in right))
    if found.after < found.before - LOSS:
        raise AlexNetError(
            f"{path} was not written: in 8-bit integers {found.after:.1%} of {found.pictures} pictures are recognised, "
            f"in float32 {found.before:.1%}: export it without --int8"
        )
    write_atomic(path, quantised)
    return found


def _quantise(content: bytes, shown: UInt8[np.ndarray, "m side side 3"]) -> bytes:
    """Turn an ONNX file's content into integers; what that needs of the disk is gone at the end."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches: Iterator[Any] = iter(np.array_split(shown, -(-len(shown) // BATCH)))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"pictures": batch}

    with tempfile.TemporaryDirectory() as folder, quietly():
        plain, ready, made = (Path(folder) / f"{name}.onnx" for name in ("plain", "ready", "int8"))
        plain.write_bytes(content)
        quant_pre_process(plain, ready)
        nodes = onnx.load(ready).graph.node
        quantize_static(
            ready,
            made,
            Reader(),
            op_types_to_quantize=["Conv", "Gemm", "MatMul", "MaxPool", "Relu"],
            nodes_to_exclude=[node.name for node in nodes if any(name.endswith(".band") for name in node.input)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return made.read_bytes()


def _right(content: bytes, pictures: UInt8[np.ndarray, "n side side 3"], labels: Int64[np.ndarray, "n"]) -> np.ndarray:
    """Tell which pictures an ONNX file recognises."""
    answer = session(content)
    groups = torch.from_numpy(pictures).split(BATCH)
    return torch.cat([answer(group).argmax(1) for group in groups]).numpy() == labels
