"""The verbs that tell: info about networks and recipes, reproduce."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from alexnet.architectures import INPUTS, Architecture, memory
from alexnet.catalogue import ARCHITECTURES, named
from alexnet.cli.options import Options, add_vary
from alexnet.diagram import diagram
from alexnet.errors import UsageError
from alexnet.layers import Activation, AdaptivePool, Convolution, Dropout, FullyConnected, Layer, Pool, ResponseNorm
from alexnet.recipe import Recipe, changes, written
from alexnet.recipes import ABOUT, REASONS, RECIPES, load_recipe
from alexnet.variations import vary


def add_info(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `info`."""
    parser.add_argument("arch", nargs="?", metavar="ARCH", help=", ".join(ARCHITECTURES))
    parser.add_argument("--classes", type=int, metavar="N", help="units of the last layer (default: the network's own)")
    add_vary(parser)
    parser.add_argument(
        "--recipe",
        metavar="NAME_OR_TOML",
        help=f"show what a recipe changes against the paper's: {', '.join(RECIPES)}, or a file",
    )
    draw = "draw the network as in Figure 2: towers, sizes and where they meet; .svg, or .png"
    parser.add_argument("--draw", type=Path, metavar="FILE", help=draw)
    parser.add_argument("--json", action="store_true", help="print one JSON value")


def run_info(options: Options) -> None:
    """Print a network's table, a recipe's, or the names of all; or draw a network."""
    if options.recipe and options.arch:
        raise UsageError("info tells a network or a recipe: leave out the name, or --recipe")
    if (options.classes is not None or options.vary or options.draw) and not options.arch:
        raise UsageError("--classes, --vary and --draw are of a network: name one")
    if options.recipe:
        return info_recipe(options.recipe, options.json)
    if not options.arch:
        return info_names(options.json)
    architecture = vary(named(options.arch), *options.vary)
    if options.classes is not None:
        architecture = architecture.with_classes(options.classes)
    if options.draw:
        diagram(architecture).save(options.draw)
        if not options.json:
            return print(options.draw)
    return info_json(architecture) if options.json else info_table(architecture)


# A phrase for each network.
NETWORKS = {
    "paper": "the printed text: two towers, 1000 classes",
    "authors-2012": "the same as its authors ran it: run 145 of their source",
    "single": "one tower in place of two; what `train` takes unless told otherwise",
    "half": "one tower with half the kernels up to conv4, for one GPU (§3.2)",
    "conv6": "with a sixth convolution, which the paper averages in (§6)",
    "caffe": "BVLC's bvlc_alexnet",
    "caffenet": "BVLC's CaffeNet: the norms after the pools",
    "torchvision": "torchvision's: one tower of other sizes, no norms",
    "cifar-alexnet": "one tower for pictures of 32 pixels, 10 classes",
    "cifar-18pct": "cuda-convnet's small network for CIFAR-10, named by its test error",
    "cifar-13pct": "cuda-convnet's with two unshared layers",
    "cifar-11pct": "the same with response norms",
}


def info_names(as_json: bool) -> None:
    """Print the names of all networks and recipes."""
    if as_json:
        return print(json.dumps([summary(one) for one in ARCHITECTURES.values()]))
    print("networks, with their parameters and the side of their input (alexnet info NAME tells the layers):")
    for one in ARCHITECTURES.values():
        print(f"  {one.name:13} {one.parameters:>10,} {one.input_side:>4}  {NETWORKS[one.name]}")
    print("recipes (alexnet info --recipe NAME tells the numbers and their reasons):")
    for name, about in ABOUT.items():
        print(f"  {name:15} {about}")
    return None


def summary(architecture: Architecture) -> dict[str, Any]:
    """Give a network's name and totals."""
    return {"name": architecture.name, "parameters": architecture.parameters, "macs": architecture.macs}


def info_json(architecture: Architecture) -> None:
    """Print a network as one JSON value."""
    layers = [
        {"name": row.layer.name, "output": list(row.output), "parameters": row.parameters, "macs": row.macs}
        for row in architecture.rows()
    ]
    print(json.dumps({**summary(architecture), "layers": layers}))


def info_table(architecture: Architecture) -> None:
    """Print a network's layers with their cost, and what one picture needs of memory."""
    side, width = architecture.input_side, max(len(layer.name) for layer in architecture.layers)
    print(f"{architecture.name}: {architecture.classes} classes, {side} × {side} pixels")
    print(f"pixels: {INPUTS[architecture.input]}\n")
    wide = max(len(described(layer)) for layer in architecture.layers)
    print(f"{'layer':{width}}  {'what':{wide}} {'output':>10} {'parameters':>12} {'MACs':>14}")
    for row in architecture.rows():
        output = "×".join(map(str, row.output))
        cost = f" {row.parameters:>12,} {row.macs:>14,}" if row.parameters else ""
        print(f"{row.layer.name:{width}}  {described(row.layer):{wide}} {output:>10}{cost}")
    print(f"{'total':{width}}  {'':{wide}} {'':>10} {architecture.parameters:>12,} {architecture.macs:>14,}\n")
    print("start:")
    for names, start in starts(architecture):
        print(f"  {start:32} {' '.join(names)}")
    print("\nmemory for one picture in float32, without gradients and velocities of the weights:")
    for name, megabytes in memory(architecture).items():
        print(f"  {name.replace('_', '/'):17} {megabytes:>8.2f} MB")


def starts(architecture: Architecture) -> list[tuple[list[str], str]]:
    """Tell how layers start, those that start alike together."""
    alike: dict[str, list[str]] = {}
    for row in architecture.start:
        if row.weights == "uniform":
            told = "uniform, ±1/√fan-in"
        else:
            deviation = f"{row.deviation:g}" if row.weights == "normal" else f"{row.gain:g}·√(2/fan-in)"
            told = f"N(0, {deviation}), biases {row.bias:g}"
        alike.setdefault(told, []).append(row.layer)
    return [(names, told) for told, names in alike.items()]


def described(layer: Layer) -> str:
    """Tell a layer in a few words."""
    match layer:
        case Convolution():
            stride = f" / {layer.stride}" if layer.stride > 1 else ""
            zeros = f", padding {layer.padding[0]}+{layer.padding[1]}" if any(layer.padding) else ""
            shared = "" if layer.shared else ", unshared"
            return f"convolution {layer.kernel}×{layer.kernel}{stride}{zeros}{in_towers(layer)}{shared}"
        case FullyConnected():
            return f"fully connected{in_towers(layer)}"
        case Activation():
            return "ReLU" if layer.kind == "relu" else "tanh"
        case ResponseNorm():
            where = f"{layer.size} maps" if layer.over == "maps" else f"{layer.size}×{layer.size} of a map"
            divided = f"/{layer.alpha / layer.effective_alpha:.0f}" if layer.divide_alpha else ""
            return f"response norm, {where}, k {layer.k:g}, α {layer.alpha:g}{divided}{in_towers(layer)}"
        case Pool():
            return f"{layer.kind} pool {layer.kernel}×{layer.kernel} / {layer.stride}{', rounds up' * layer.round_up}"
        case AdaptivePool():
            return f"average pool to {layer.side}×{layer.side}"
        case Dropout():
            return f"dropout {layer.probability:g} ({layer.kind})"


def in_towers(layer: Convolution | FullyConnected | ResponseNorm) -> str:
    """Tell of the towers that a layer keeps to, if it does."""
    return f", {layer.towers} towers" if layer.towers > 1 else ""


def info_recipe(name: str, as_json: bool) -> None:
    """Print what a recipe changes against the paper's."""
    recipe = load_recipe(name)
    if as_json:
        print(json.dumps(recipe.to_json()))
        return
    rows = changes(recipe, Recipe())
    if not rows:
        print(f"{name} is the paper's recipe; its numbers:")
        for field, value in recipe.to_json().items():
            print(f"  {field:20} {written(value)}")
        return
    why = REASONS.get(name, {})
    table = [("field", "paper", Path(name).name, "why")]
    table += [(field, written(before), written(after), why.get(field, "")) for field, before, after in rows]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for row in table:
        print("  ".join([f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)] + [row[3]]).rstrip())


def add_reproduce(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `reproduce`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="what to rerun")
    parser.add_argument(
        "--quick", action="store_true", help="a few minutes' worth, to see that it runs; proves nothing"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("ALEXNET_DATA"),
        metavar="DIR",
        help="folder of the data sets (default: $ALEXNET_DATA)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("reproduced"),
        metavar="DIR",
        help="folder for stores and runs (default: reproduced)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("experiments/results"),
        metavar="DIR",
        help="where the evidence is kept (default: experiments/results)",
    )


def run_reproduce(options: Options) -> None:
    """Rerun an experiment, or list them."""
    from alexnet.experiments import run_experiment
    from alexnet.experiments.page import listing

    if not options.name:
        return print(listing(options.results))
    run_experiment(
        options.name, Path(options.data) if options.data else None, options.work, options.results, options.quick
    )
    return None
