"""The family's losses, optimiser and training step in PyTorch, written from the papers."""

import math
from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, nn

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from parity.companion.vc1 import Discriminator, Generator
from parity.companion.vc2 import Generator2d, PatchDiscriminator


def least_squares_loss(scores: Tensor, target: float) -> Tensor:
    """(batch, 1, rows, columns) → (batch,)."""
    return (scores - target).square().flatten(1).mean(1)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """(batch, 1, rows, columns) twice → (batch,)."""
    return (least_squares_loss(real, 1.0) + least_squares_loss(fake, 0.0)) / 2


def l1_loss(expected: Tensor, actual: Tensor) -> Tensor:
    """(batch, bins, frames) twice → (batch,)."""
    return (expected - actual).abs().flatten(1).mean(1)


def self_regularization_loss(start: Tensor, converted: Tensor) -> Tensor:
    """(batch, bins, frames) twice → (batch,)."""
    return (converted - start).pow(2).flatten(1).mean(1)


def linear_decay(step: int, initial: float, decay_start: int, decay_steps: int) -> float:
    """Constant, then linear to zero."""
    if step < decay_start:
        return initial
    return initial * max(0.0, 1 - (step - decay_start) / decay_steps)


class Adam(torch.optim.Optimizer):
    """Adam with epsilon where TensorFlow 1 puts it, outside of the bias correction.

    Source: Kingma and Ba, 2014, arXiv:1412.6980, the form at the end of its section 2, "epsilon
        hat"; `torch.optim.Adam` implements algorithm 1.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, betas: tuple[float, float], eps: float
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Moves every parameter that has a gradient."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["time"] = 0
                    state["first"] = torch.zeros_like(parameter)
                    state["second"] = torch.zeros_like(parameter)
                state["time"] += 1
                first, second, time = state["first"], state["second"], state["time"]
                first.lerp_(parameter.grad, 1 - beta1)
                second.lerp_(parameter.grad.square(), 1 - beta2)
                rate = group["lr"] * math.sqrt(1 - beta2**time) / (1 - beta1**time)
                parameter.addcdiv_(first, second.sqrt().add_(group["eps"]), value=-rate)


MakeOptimizer = Callable[..., torch.optim.Optimizer]

MAKE_GENERATOR: dict[str, Callable[..., nn.Module]] = {
    "vc1": Generator,
    "vc2": Generator2d,
    "vc3": partial(Generator2d, adaptive=True),
    "mask": partial(Generator2d, masked=True),
}


class Step:
    """Both generators, all discriminators, both optimisers, and one iteration of training.

    Args:
        config: The settings of a run.
        optimizer: `Adam` of this module, or `torch.optim.Adam`.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, section 3; the two-step adversarial loss of
        all but the first, Kaneko et al., 2019, arXiv:1904.04631, section 3.1.
    """

    def __init__(self, config: RunConfig, optimizer: MakeOptimizer = Adam) -> None:
        bins, network = config.features.bins, config.network
        first = network.variant == "vc1"
        generator = MAKE_GENERATOR[network.variant]
        judge = Discriminator if first else PatchDiscriminator
        judged = ["A", "B"] if first else ["A", "B", "cycled_A", "cycled_B"]
        self.config, self.steps_done = config.training, 0
        self.generators = nn.ModuleDict({d: generator(bins, network) for d in ("A2B", "B2A")})
        self.discriminators = nn.ModuleDict({s: judge(bins, network) for s in judged})
        self._make = optimizer
        self._optimizers: dict[str, torch.optim.Optimizer] = {}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """By side; made at the first step, when the networks' type and weights are settled."""
        if not self._optimizers:
            config = self.config
            for side, networks in (
                ("generator", self.generators),
                ("discriminator", self.discriminators),
            ):
                self._optimizers[side] = self._make(
                    networks.parameters(),
                    lr=0.0,
                    betas=(config.adam_beta1, config.adam_beta2),
                    eps=config.adam_epsilon,
                )
        return self._optimizers

    def __call__(self, real_a: Tensor, real_b: Tensor, *masks: Tensor) -> dict[str, float]:
        """One iteration.

        Args:
            real_a: (batch, bins, frames).
            real_b: Likewise.
            masks: Of A and of B, (batch, 1, frames), for a generator that fills frames in.

        Returns:
            Unweighted loss terms by name, and both totals.
        """
        optimizers = self.optimizers()
        for side, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = self.rate(side)
            optimizer.zero_grad()

        # The generators; what the discriminators would get of this loss is left out.
        groups, fakes = self.generator_losses(real_a, real_b, *masks)
        weights = loss_weights(self.config, self.steps_done)
        terms = name_terms(groups)
        weighted = [
            weights[group] * loss for group, members in groups.items() for loss in members.values()
        ]
        generator = torch.stack(weighted)
        learning = [each for each in self.generators.parameters() if each.requires_grad]
        generator.sum().backward(inputs=learning)

        # The discriminators, on the fakes just made.
        missed = []
        for name, judge in self.discriminators.items():
            real = real_a if name.endswith("A") else real_b
            missed.append(discriminator_loss(judge(real), judge(fakes[name].detach())).mean())
            terms[f"discriminator_{name}"] = missed[-1]
        discriminator = torch.stack(missed).sum()
        discriminator.backward()

        for optimizer in optimizers.values():
            optimizer.step()
        self.steps_done += 1
        report = {name: term.item() for name, term in terms.items()}
        return report | {
            "generator": generator.sum().item(), "discriminator": discriminator.item()
        }  # fmt: skip

    def generator_losses(
        self, real_a: Tensor, real_b: Tensor, *masks: Tensor
    ) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
        """Compute the generators' unweighted losses, averaged over the batch, and the fakes.

        Args:
            real_a: Features of A, (batch, bins, frames).
            real_b: Features of B, (batch, bins, frames).
            masks: Masks of A and of B, (batch, 1, frames), for a generator that fills frames in.

        Returns:
            Losses by group and member, and fakes by the discriminator that scores them.
        """
        a2b, b2a = self.generators["A2B"], self.generators["B2A"]
        # Frames are hidden in the first conversion alone.
        fake_b, fake_a = a2b(real_a, *masks[:1]), b2a(real_b, *masks[1:])
        cycled_a, cycled_b = b2a(fake_b), a2b(fake_a)
        fakes = {"A": fake_a, "B": fake_b, "cycled_A": cycled_a, "cycled_B": cycled_b}
        groups = {
            "adversarial": {
                path: least_squares_loss(self.discriminators[name](fakes[name]), 1.0)
                for path, name in (
                    ("A2B", "B"), ("B2A", "A"), ("A2B2A", "cycled_A"), ("B2A2B", "cycled_B")
                )
                if name in self.discriminators
            },
            "cycle": {"A": l1_loss(real_a, cycled_a), "B": l1_loss(real_b, cycled_b)},
            "identity": {"A": l1_loss(real_a, b2a(real_a)), "B": l1_loss(real_b, a2b(real_b))},
        }  # fmt: skip
        means = {
            group: {member: loss.mean() for member, loss in members.items()}
            for group, members in groups.items()
        }
        return means, fakes

    def rate(self, side: str) -> float:
        """The learning rate of a side at this step."""
        config = self.config
        initial = {
            "generator": config.generator_learning_rate,
            "discriminator": config.discriminator_learning_rate,
        }[side]
        return linear_decay(self.steps_done, initial, config.decay_start, config.decay_steps)


def name_terms(groups: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return losses by the name of their term, such as cycle_A."""
    return {
        f"{group}_{member}": loss
        for group, members in groups.items()
        for member, loss in members.items()
    }


def loss_weights(config: TrainingConfig, step: int) -> dict[str, float]:
    """Return the weights of the generators' losses at a step, by group."""
    identity = config.identity_weight if step < config.identity_steps else 0.0
    return {
        "adversarial": 1.0,
        "cycle": config.cycle_weight,
        "identity": identity,
    }
