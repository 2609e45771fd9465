"""A run's networks as files of PyTorch."""

from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.interop import public_weights, torch_files
from cyclegan_vc_tf.interop.public_files import NETWORKS
from cyclegan_vc_tf.interop.public_layouts import LAYOUTS, PublicLayout
from cyclegan_vc_tf.models import torch_weights
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError

SIZE_SETTINGS = ("channels", "residual_blocks")
"""What a public project's own code has fixed, and the weights tell."""


def export(
    run: RunFolder, layout: str, output: Path, step: int | None = None
) -> tuple[int, list[str]]:
    """Writes the state dictionaries of a run's networks into one file.

    Args:
        run: The run.
        layout: "companion", the parity suite's, or "karkirowle", the public project's.
        output: The file; one that is there is replaced.
        step: Of the checkpoint; by default the last one.

    Returns:
        The step, and the names under which the file has the networks.

    Raises:
        InputError: The layout's networks compute something else than the run's, PyTorch is not
            installed, or the checkpoint cannot be read.
    """
    if layout != "companion":
        _refuse_other_networks(run.config.network, layout)
    networks, step = run.load_networks(step=step)
    if layout == "companion":
        states = {name: torch_weights.to_state(model) for name, model in networks.items()}
    else:
        states = {
            NETWORKS[name][0]: public_state(LAYOUTS[layout], name, model)
            for name, model in networks.items()
        }
    torch_files.write(output, states)
    return step, list(states)


def public_state(layout: PublicLayout, name: str, model: keras.Model) -> dict[str, np.ndarray]:
    """A network's weights as a public project has them.

    Args:
        layout: The project's, of PyTorch, with one module a layer.
        name: Of the network, such as "generator_A2B".
        model: Ours.

    Raises:
        ValueError: A variable has no place in the layout.
    """
    variables = torch_weights.addresses(model)
    state = {}
    for line in layout.lines(name, public_weights.count_residual_blocks(variables)):
        (module,) = line.modules
        for weight in public_weights.weight_names(line):
            value = variables.pop(f"{line.layer}/{weight}").numpy()
            to_torch = torch_weights.LAYOUTS[weight, value.ndim].to_torch
            key = public_weights.public_key(layout, module, weight)
            state[key] = np.ascontiguousarray(to_torch(value))
    if variables:
        raise ValueError(f"{name} has {sorted(variables)}, of which the layout knows nothing")
    return state


def _refuse_other_networks(network: NetworkConfig, layout: str) -> None:
    """Refuses networks whose weights the project's code would load, and compute otherwise with."""
    ours, theirs = asdict(network), asdict(LAYOUTS[layout].network)
    if network.generator_kernels[-1] == "15":
        # Some versions of the project end with the paper's kernel.
        theirs["generator_kernels"] = (*theirs["generator_kernels"][:-1], "15")
    others = [
        f"--{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in theirs.items()
        if name not in SIZE_SETTINGS and ours[name] != value
    ]
    if others:
        raise InputError(
            f"--layout={layout} computes something else than this run's networks do, which would "
            f"make their weights useless there; expected a run trained with {' '.join(others)}"
        )
