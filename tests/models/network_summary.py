"""Summary of all networks and checkpoints, which both stacks have to agree on to the bit.

    python tests/models/network_summary.py > tests/models/data/network_summary.json

The file was made on the reference stack. `python tests/models/network_summary.py --list` prints
what the hashes are made of, one line per weight and per key.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.models.registry import VARIANTS
from cyclegan_vc_tf.models.torch_weights import addresses
from cyclegan_vc_tf.training.trainer import Trainer

SUMMARY = Path(__file__).parent / "data" / "network_summary.json"


def describe(variant: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Describe the weights of every network of a variant, and the keys of its checkpoints.

    Args:
        variant: Name of the variant.
        folder: Folder for a checkpoint.

    Returns:
        Names, and a line per weight in the order of the optimiser, or per key in sorted order.
    """
    preset = PRESETS[variant]
    config = replace(
        preset,
        network=replace(preset.network, channels=2, residual_blocks=1),
        training=replace(preset.training, seed=3),
    )
    trainer = Trainer(config)
    for name, network in trainer.networks.items():
        yield (
            f"{variant}/{name}",
            [
                f"{address} {variable.dtype.name} {variable.shape.as_list()} "
                f"{hashlib.sha256(variable.numpy().tobytes()).hexdigest()}"
                for address, variable in addresses(network).items()
            ],
        )
    order = [
        f"{moment.shape.as_list()}"
        for optimizer in (trainer.generator_optimizer, trainer.discriminator_optimizer)
        for moment in optimizer.first_moments
    ]
    yield f"{variant}/order of trained variables", order
    prefix = trainer.checkpoint.write(str(folder / variant))
    shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    yield f"{variant}/checkpoint", [f"{key} {shapes[key]}" for key in sorted(shapes)]


def summarize(variant: str, folder: Path) -> dict[str, list]:
    """Return the number of lines and their hash, by the names of `describe`."""
    return {
        name: [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()]
        for name, lines in describe(variant, folder)
    }


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        if "--list" in sys.argv:
            for each in VARIANTS:
                for name, lines in describe(each, Path(place)):
                    print(name, *lines, sep="\n  ")
        else:
            found: dict[str, list] = {}
            for each in VARIANTS:
                found |= summarize(each, Path(place))
            print(json.dumps(found, indent=0))
