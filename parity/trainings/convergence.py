"""Train in both frameworks, and with one setting changed, and keep the losses: the long study.

    python -m parity.trainings.convergence                 all arms, less than an hour on two cores
    python -m parity.trainings.convergence --arm=pytorch   one arm

An arm is one way to train. Each arm trains a small CycleGAN-VC on the demo corpus five or ten
times, with seeds from 0 on. The framework draws the initial weights. Results and their settings are
kept in parity/trainings/convergence.json. A training is repeated only if its settings have changed.
Run one process at a time, because each writes the whole file.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.settings import from_dict
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.progress import progress_bar
from parity import demo
from parity.circumstances import circumstances
from parity.trainings.runs import LOSSES, TensorFlowRun, TorchRun

RESULTS = Path(__file__).with_name("convergence.json")

WINDOW = 50
"""Steps per window, over which losses are averaged."""

STUDY = RunConfig(
    features=FeatureConfig(f0_method="dio"),
    network=NetworkConfig(channels=8, residual_blocks=1),
    training=TrainingConfig(
        steps=1000,
        batch_size=4,
        generator_learning_rate=2e-3,
        discriminator_learning_rate=1e-4,
    ),
)
"""Settings of the study: a sixteenth of the paper's width, and the demo's learning rates, at which
1,000 steps are enough."""

Run = TensorFlowRun | TorchRun

Results = dict[str, dict[str, dict]]
"""Measurements by arm and seed."""


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        what: Description, or the difference from another arm.
        against: Arm that it is compared with, and differs from in one setting; empty for the first.
        build: Function that makes a run from settings.
        network: Changed settings of the networks.
        training: Changed settings of the training.
        pairing: Pairing of crops, one of `demo.PAIRINGS`.
        seeds: Number of trainings, with seeds from 0 on.
    """

    what: str
    against: str = "tensorflow"
    build: Callable[[RunConfig], Run] = TensorFlowRun
    network: tuple[tuple[str, object], ...] = ()
    training: tuple[tuple[str, object], ...] = ()
    pairing: str = "independent"
    seeds: int = 5

    def config(self, seed: int) -> RunConfig:
        """Return the settings of the training with this seed."""
        return replace(
            STUDY,
            network=replace(STUDY.network, **dict(self.network)),  # type: ignore[arg-type]
            training=replace(STUDY.training, seed=seed, **dict(self.training)),  # type: ignore[arg-type]
        )


def _torch_initialiser(config: RunConfig) -> TorchRun:
    return TorchRun(config, keras_initialiser=False)


def _torch_adam(config: RunConfig) -> TorchRun:
    return TorchRun(config, optimizer=torch.optim.Adam)


def _torch_defaults(config: RunConfig) -> TorchRun:
    return TorchRun(config, optimizer=torch.optim.Adam, keras_initialiser=False)


def _not_affine(config: RunConfig) -> TorchRun:
    run = TorchRun(config)
    for network in run.networks().values():
        for module in network.modules():
            if isinstance(module, torch.nn.modules.instancenorm._InstanceNorm):
                module.requires_grad_(False)
    return run


ARMS = {
    "tensorflow": Arm("this project", "", seeds=10),
    "pytorch": Arm(
        "the companion: Keras' distributions, TensorFlow's epsilon", build=TorchRun, seeds=10
    ),
    "pytorch_initialiser": Arm(
        "PyTorch's default initialiser", "pytorch", _torch_initialiser, seeds=10
    ),
    "pytorch_adam": Arm("torch.optim.Adam, beta1 0.5", "pytorch", _torch_adam),
    "pytorch_defaults": Arm(
        "PyTorch's default initialiser, torch.optim.Adam with its default beta1 0.9",
        "pytorch",
        _torch_defaults,
        training=(("adam_beta1", 0.9),),
        seeds=10,
    ),
    "not_affine": Arm("instance norm without scale and offset", "pytorch", _not_affine),
    "beta1": Arm("beta1 0.9", training=(("adam_beta1", 0.9),)),
    "sigmoid": Arm(
        "a sigmoid behind the discriminators", network=(("discriminator_sigmoid", True),)
    ),
    "strong": Arm(
        "discriminators' rate 2e-3, as the generators'",
        training=(("discriminator_learning_rate", 2e-3),),
    ),
    "strong_sigmoid": Arm(
        "the same and a sigmoid",
        "strong",
        network=(("discriminator_sigmoid", True),),
        training=(("discriminator_learning_rate", 2e-3),),
    ),
    "kernels": Arm("all kernels of the generators 3", network=(("generator_kernels", ("3",) * 7),)),
    "same_index": Arm(
        "one index for the recordings of both speakers", pairing="same index", seeds=10
    ),
    "cached": Arm("the crops of the first epoch, again and again", pairing="cached"),
}


def run(arm: Arm, seed: int, corpus: demo.Demo) -> dict[str, object]:
    """Train an arm with one seed.

    Returns:
        `losses`: means per window, (windows, losses). `held_out`: the generators' loss terms on
        held-out recordings after the last step. `adversarial_gradient`, for TensorFlow: the norm of
        the gradient at the fakes, per window.
    """
    config = arm.config(seed)
    training = config.training
    trained = arm.build(config)
    held_out = corpus.held_out_batch(training.crop_frames)
    batches = corpus.batches(
        training.steps, training.batch_size, training.crop_frames, seed, arm.pairing
    )
    rows, gradients = [], []
    for step, batch in enumerate(batches):
        if step % WINDOW == 0 and isinstance(trained, TensorFlowRun):
            gradients.append(trained.adversarial_gradient(held_out))
        report = trained.step(batch)
        rows.append([report[name] for name in LOSSES])
    windows = np.array(rows).reshape(-1, WINDOW, len(LOSSES)).mean(axis=1)
    return {
        "losses": _rounded(windows),
        "held_out": {name: _rounded(value) for name, value in trained.evaluate(held_out).items()},
        "adversarial_gradient": _rounded(np.array(gradients)),
    }


def settings(arm: Arm) -> dict[str, object]:
    """Return the settings that an arm's results depend on, without the seed, as JSON values."""
    config = asdict(arm.config(0))
    return json.loads(json.dumps({**config, "pairing": arm.pairing, "what": arm.what}))


def has_todays_settings(stored: dict, arm: Arm) -> bool:
    """Return whether stored settings match an arm. Missing settings have their default."""
    own = {"pairing": arm.pairing, "what": arm.what}
    config = {name: value for name, value in stored.items() if name not in own}
    try:
        same = from_dict(RunConfig, config) == arm.config(0)
    except (InputError, AttributeError, TypeError, ValueError):
        return False
    return same and {name: stored.get(name) for name in own} == own


def read(path: Path) -> dict[str, dict]:
    """Read the results of arms with today's settings, by name.

    Raises:
        InputError: The file does not hold results of this study.
    """
    if not path.exists():
        return {}
    try:
        arms = json.loads(path.read_text(encoding="utf-8"))["arms"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no results of this study; remove it") from error
    return {
        name: arms[name]
        for name, arm in ARMS.items()
        if name in arms and has_todays_settings(arms[name]["settings"], arm)
    }


def load(path: Path = RESULTS) -> Results:
    """Read the results of all arms by name and seed.

    Raises:
        InputError: Trainings with today's settings are missing.
    """
    found = read(path)
    missing = [
        name
        for name, arm in ARMS.items()
        if set(found.get(name, {}).get("seeds", {})) != set(map(str, range(arm.seeds)))
    ]
    if missing:
        raise InputError(
            f"{path} lacks trainings of {', '.join(missing)} with today's settings; "
            "run python -m parity.trainings.convergence"
        )
    return {name: arm["seeds"] for name, arm in found.items()}


def main() -> int:
    """Run the study, or chosen arms, and write the results."""
    parser = argparse.ArgumentParser(
        prog="python -m parity.trainings.convergence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--arm", choices=ARMS, action="append", help="train only this arm; repeatable"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON file to write")
    arguments = parser.parse_args()
    try:
        found = read(arguments.results)
    except InputError as error:
        parser.error(str(error))
    chosen = arguments.arm or list(ARMS)
    todo = [
        (name, seed)
        for name in chosen
        for seed in range(ARMS[name].seeds)
        if str(seed) not in found.get(name, {}).get("seeds", {})
    ]
    corpus = demo.load()
    for name, seed in progress_bar(todo, desc="trainings"):
        arm = found.setdefault(name, {"settings": settings(ARMS[name]), "seeds": {}})
        arm["seeds"][str(seed)] = run(ARMS[name], seed, corpus)
        write(found, arguments.results)
    return 0


def write(found: dict[str, dict], path: Path) -> None:
    """Write results, with the command, versions and machine."""
    origin = {"command": "python -m parity.trainings.convergence", "circumstances": circumstances()}
    # One training per line.
    text = json.dumps({**origin, "arms": found}).replace('{"losses"', '\n{"losses"')
    files.write_text(path, text + "\n")


def _rounded(values: object) -> object:
    """Round values to six digits."""
    return json.loads(
        json.dumps(np.asarray(values).tolist()), parse_float=lambda x: float(f"{float(x):.6g}")
    )


if __name__ == "__main__":
    sys.exit(main())
