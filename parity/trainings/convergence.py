"""The long study: what trainings converge to, in both frameworks and with one thing changed.

    python -m parity.trainings.convergence                 all arms, less than an hour on two cores
    python -m parity.trainings.convergence --arm=pytorch   one of them

Every arm trains a small CycleGAN-VC on the demo corpus five or ten times, with seeds from 0 on,
each from initial weights that its framework draws itself. Results are kept in
parity/convergence.json, with their settings; a training whose result is there with today's settings
is not repeated. One process at a time: each writes what it knows.
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
"""Steps that are averaged into one number."""

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
"""A sixteenth of the paper's width; rates of the demo, at which it learns within 1,000 steps."""

Run = TensorFlowRun | TorchRun

Results = dict[str, dict[str, dict]]
"""Arm → seed → what was measured."""


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        what: What it is, or what it differs in from another.
        against: The arm it differs from in that alone; empty for the first.
        build: From the settings to a run.
        network: Changed settings of the networks.
        training: Changed settings of the training.
        pairing: How crops are paired, one of `demo.PAIRINGS`.
        seeds: How many trainings, with seeds from 0 on.
    """

    what: str
    against: str = "tensorflow"
    build: Callable[[RunConfig], Run] = TensorFlowRun
    network: tuple[tuple[str, object], ...] = ()
    training: tuple[tuple[str, object], ...] = ()
    pairing: str = "independent"
    seeds: int = 5

    def config(self, seed: int) -> RunConfig:
        """The settings of its training with this seed."""
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
    """Trains once.

    Returns:
        `losses`, (windows, losses) means over 50 steps each; `held_out`, the generators' terms on
        held-out recordings after the last step; for TensorFlow, `adversarial_gradient`, the length
        of the gradient that reaches the fakes, once a window.
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
    """All that an arm's results depend on but its seed and its code, as JSON has it."""
    config = asdict(arm.config(0))
    return json.loads(json.dumps({**config, "pairing": arm.pairing, "what": arm.what}))


def is_todays(stored: dict, arm: Arm) -> bool:
    """Whether stored settings are an arm's; one that is not among them had its default then."""
    own = {"pairing": arm.pairing, "what": arm.what}
    config = {name: value for name, value in stored.items() if name not in own}
    try:
        same = from_dict(RunConfig, config) == arm.config(0)
    except (InputError, AttributeError, TypeError, ValueError):
        return False
    return same and {name: stored.get(name) for name in own} == own


def read(path: Path) -> dict[str, dict]:
    """Results of the arms whose settings are today's, by name.

    Raises:
        InputError: The file holds something else.
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
        if name in arms and is_todays(arms[name]["settings"], arm)
    }


def load(path: Path = RESULTS) -> Results:
    """Results of all arms by name and seed.

    Raises:
        InputError: Not all trainings are there with today's settings.
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
    return {name: each["seeds"] for name, each in found.items()}


def main() -> int:
    """Runs the study, or some arms of it, and keeps the results."""
    parser = argparse.ArgumentParser(
        prog="python -m parity.trainings.convergence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--arm", choices=ARMS, action="append", help="only this arm; repeatable")
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
    """Writes results with what made them."""
    made = {"command": "python -m parity.trainings.convergence", "circumstances": circumstances()}
    # One training a line.
    text = json.dumps({**made, "arms": found}).replace('{"losses"', '\n{"losses"')
    files.write_text(path, text + "\n")


def _rounded(values: object) -> object:
    """Six digits: what a file of results needs."""
    return json.loads(
        json.dumps(np.asarray(values).tolist()), parse_float=lambda x: float(f"{float(x):.6g}")
    )


if __name__ == "__main__":
    sys.exit(main())
