"""Which parts of a picture mattered for a class: gradient times input, after one pass forward and one back.

A picture of the store and a class go in; a map comes out, which says of each pixel by how much, to first order, the
class's score would fall if that pixel were as in the mean picture. Positive speaks for the class, negative against it.

Not in the paper. Covering one part after another (occlusion: Zeiler, Fergus 2014) measures what this estimates, but
takes as many passes as there are parts: seconds, for a network of this size on a CPU.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from alexnet.run import Trained

METHOD = "gradient × input, blurred"
# Deviation of the blur as a share of the side: single pixels alternate in sign and show nothing; parts do.
BLUR = 1 / 28


def importance(trained: Trained, picture: UInt8[Tensor, "stored stored 3"], label: int) -> Float[Tensor, "side side"]:
    """Estimate how much each place of the centre crop speaks for a class, and how much against it.

    Args:
        trained: The network; it is used in evaluation mode and float32, and left as it was.
        picture: As the store holds it, on the network's device.
        label: The class, 0 ≤ label < classes.

    Returns:
        What each pixel gives to the score, summed over its colours and blurred over its neighbourhood; float32, of any
        scale, on the network's device. Before the blur its sum is the first-order change of the score from the mean
        picture to this one.
    """
    network, training = trained.network, trained.network.training
    network.eval()
    try:
        (view,) = trained.view.test(picture[None], 1)
        with torch.enable_grad():
            seen = view.detach().requires_grad_()
            (slope,) = torch.autograd.grad(network(seen)[0, label], seen)
    finally:
        network.train(training)
    return blur((slope * seen.detach())[0].sum(0))


def blur(places: Float[Tensor, "side side"]) -> Float[Tensor, "side side"]:
    """Average each place with those around it, by a Gaussian; its sum stays, but for what leaves at the border."""
    deviation = max(len(places) * BLUR, 0.5)
    reach = min(round(3 * deviation), len(places) - 1)
    steps = torch.arange(-reach, reach + 1, dtype=places.dtype, device=places.device)
    bell = torch.exp(-((steps / deviation) ** 2) / 2)
    bell = (bell / bell.sum())[None, None]
    down = F.conv2d(places[None, None], bell[..., None], padding=(reach, 0))
    return F.conv2d(down, bell[..., None, :], padding=(0, reach))[0, 0]
