"""Fine-tuning on write-up 002's cats and dogs, from the convolutional part of torchvision's weights alone.

The first 2,000 cats and 2,000 dogs of Kaggle's set, as `alexnet prepare cats-dogs` reads them: 3,200 to train, 400 to
validate, 400 to test. They are not ImageNet's pictures. The copies at hand are 200 × 200, so they are enlarged. With
five times the pictures of `fine-tune-dogs`, five epochs do.
"""

from pathlib import Path

from alexnet.data.preparation import prepare
from alexnet.experiments.fine_tuning import convolutions, fine_tune

FOLDER, EPOCHS = "cats-dogs-200px-4000", 5


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train, score the test part three ways, keep and print the table.

    Args:
        data: Folder that holds `cats-dogs-200px-4000`, and `torchvision_alexnet_features.npz` if it is not to be
            fetched.
        work: Folder for store and run.
        results: Folder for the evidence.
        quick: One epoch of 920 pictures.
    """
    weights = convolutions(data)
    # A limit would take cats alone, which come first; so the rest goes to val.
    val_share, test_share = (0.75, 0.02) if quick else (0.1, 0.1)
    store = prepare("cats-dogs", data / FOLDER, work / "store", val_share=val_share, test_share=test_share)
    epochs, note = 1 if quick else EPOCHS, "enlarged from 200"
    fine_tune("fine-tune-cats-dogs", store, weights, (0,), work, results, epochs, note)
