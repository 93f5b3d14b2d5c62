"""What torchvision itself makes of given weights and pictures; run by the python of .venv/torchvision.

Usage: torchvision_oracle.py INPUTS.npz OUTPUTS.npz; what is no array goes to standard output, as JSON.
"""

import json
import sys
from importlib.metadata import requires

import numpy as np
import torch
from PIL import Image

# The package index has only wheels of torchvision that want CUDA. Beside a CPU build of torch their compiled part is
# not loaded, and the import fails over two operators that nothing here uses; it passes when they are declared.
try:
    import torchvision
except RuntimeError:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
from torchvision import transforms as v1
from torchvision.models import AlexNet_Weights, alexnet
from torchvision.transforms import v2

PUBLISHED = AlexNet_Weights.IMAGENET1K_V1


def shapes(network):
    return {name: list(tensor.shape) for name, tensor in network.state_dict().items()}


def of_the_network(weights, x, labels):
    """Scores in float32 and float64, gradients in float64, and scores in training, after a seed."""
    network = alexnet()
    network.load_state_dict(weights)
    network.eval()
    with torch.no_grad():
        out = {"scores32": network(x.float())}
    network.double()
    x = x.clone().requires_grad_()
    scores = network(x)
    torch.nn.functional.cross_entropy(scores, labels).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    # The input's gradient comes through every layer; of the large layers the biases' will do.
    kept = {name: grad for name, grad in gradients.items() if name.endswith("bias") or name.startswith("features")}
    out |= {"scores64": scores.detach(), "grad input": x.grad, **{f"grad {n}": grad for n, grad in kept.items()}}
    torch.manual_seed(5)
    with torch.no_grad():
        out["scores in training"] = network.train()(x)
    return out


def of_the_pictures(square, photo):
    """Crops, mirror image, normalisation and sizes of pictures (h, w, 3), as (…, 3, h, w)."""
    planes = torch.from_numpy(square).permute(2, 0, 1)
    photo_planes = torch.from_numpy(photo).permute(2, 0, 1)
    mean, deviation = PUBLISHED.transforms().mean, PUBLISHED.transforms().std
    out = {
        "ten v2": torch.stack(v2.TenCrop(224)(planes)),
        "ten v1": torch.stack([v1.functional.pil_to_tensor(crop) for crop in v1.TenCrop(224)(Image.fromarray(square))]),
        "centre": v2.CenterCrop(224)(planes),
        "mirror": v2.functional.horizontal_flip(planes),
        "normalised": v2.Normalize(mean, deviation)(planes / 255),
        "published": PUBLISHED.transforms()(planes),
        "resized v2": v2.Resize(256, antialias=True)(photo_planes),
        "resized narrow": v2.Resize(256, antialias=True)(photo_planes[:, :, :500]),
        "resized v1": v1.functional.pil_to_tensor(v1.Resize(256)(Image.fromarray(photo))),
    }
    # Odd margins on both sides: of 3 pixels and of 1.
    for side in (221, 223):
        out[f"centre {side}"] = v2.CenterCrop(side)(planes[:, :224, :224])
    return out


def main(inputs, outputs):
    torch.set_num_threads(1)
    given = dict(np.load(inputs))
    square, photo, x, labels = (given.pop(name) for name in ("square", "photo", "x", "labels"))
    weights = {name: torch.from_numpy(array) for name, array in given.items()}
    arrays = of_the_network(weights, torch.from_numpy(x), torch.from_numpy(labels))
    arrays |= of_the_pictures(square, photo)
    np.savez(outputs, **{name: tensor.numpy() for name, tensor in arrays.items()})
    torch.manual_seed(0)
    fresh = alexnet(num_classes=7)
    facts = {
        "requires": requires("torchvision"),
        "version": torchvision.__version__,
        "shapes": shapes(fresh),
        "deviations": {name: parameter.std().item() for name, parameter in fresh.named_parameters()},
        "largest": {name: parameter.abs().max().item() for name, parameter in fresh.named_parameters()},
        "url": PUBLISHED.url,
        "mean": PUBLISHED.transforms().mean,
        "deviation": PUBLISHED.transforms().std,
        "parameters": PUBLISHED.meta["num_params"],
        "smallest": PUBLISHED.meta["min_size"],
        "billion macs": PUBLISHED.meta["_ops"],
        "metrics": PUBLISHED.meta["_metrics"]["ImageNet-1K"],
    }
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])
