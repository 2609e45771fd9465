"""Export of a run's networks as PyTorch files."""

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
"""Settings that a public project's code reads from the weights or has fixed."""


def export(
    run: RunFolder, layout: str, output: Path, step: int | None = None
) -> tuple[int, list[str]]:
    """Write the state dictionaries of a run's networks into one file.

    Args:
        run: The run.
        layout: "companion" for the parity suite, or "karkirowle" for the public project.
        output: File to write; an existing one is replaced.
        step: Step of the checkpoint; by default the last one.

    Returns:
        The step, and the keys of the networks in the file.

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
    """Convert a network's weights to a public project's state dictionary.

    Args:
        layout: Layout of a PyTorch project with one module per layer.
        name: Name of the network, such as "generator_A2B".
        model: The network.

    Raises:
        ValueError: The layout has no module for a variable.
    """
    variables = torch_weights.addresses(model)
    state = {}
    blocks = public_weights.count_residual_blocks(variables)
    for mapping in layout.layer_mappings(name, blocks):
        (module,) = mapping.modules
        for weight in public_weights.weight_names(mapping):
            value = variables.pop(f"{mapping.layer}/{weight}").numpy()
            to_torch = torch_weights.LAYOUTS[weight, value.ndim].to_torch
            key = public_weights.public_key(layout, module, weight)
            state[key] = np.ascontiguousarray(to_torch(value))
    if variables:
        raise ValueError(f"{name} has {sorted(variables)}, which the layout does not have")
    return state


def _refuse_other_networks(network: NetworkConfig, layout: str) -> None:
    """Refuse networks that the project's code would load, but compute differently with."""
    settings, expected = asdict(network), asdict(LAYOUTS[layout].network)
    if network.generator_kernels[-1] == "15":
        # Some versions of the project end with the paper's kernel.
        expected["generator_kernels"] = (*expected["generator_kernels"][:-1], "15")
    differences = [
        f"--{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in expected.items()
        if name not in SIZE_SETTINGS and settings[name] != value
    ]
    if differences:
        raise InputError(
            f"--layout={layout} computes something else with the weights of this run; expected a "
            f"run trained with {' '.join(differences)}"
        )
