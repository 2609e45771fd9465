"""List of all cases: each part of this project and its twin in PyTorch."""

from functools import partial

import torch

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.vocoders.melgan import Architecture
from parity.cases import twins
from parity.cases.case import Case, single_input
from parity.cases.layer_cases import LAYERS, LOSSES
from parity.cases.network_cases import NETWORKS
from parity.cases.pairs import Values
from parity.cases.public_cases import PUBLIC
from parity.cases.vocoder_cases import VOCODER

F32 = ("float32",)
F64 = ("float64",)

VALUES = [
    Case(
        "normalise with a speaker's statistics",
        ("normalization.normalize", "normalization.Statistics"),
        Values(
            lambda x: normalization.normalize(x, twins.SPEAKER),
            twins.torch_normalize,
        ),
        single_input((16, 24), (7, 24)),
        dtypes=F32,
    ),
    Case(
        "undo the normalisation",
        ("normalization.denormalize",),
        Values(
            lambda x: normalization.denormalize(x, twins.SPEAKER),
            twins.torch_denormalize,
        ),
        single_input((16, 24), (7, 24)),
        dtypes=F32,
    ),
    Case(
        "mean and deviation",
        ("normalization.mean_and_std",),
        Values(
            twins.mean_and_std,
            lambda x: torch.stack([x.double().mean(0), x.double().std(0, correction=0)]),
        ),
        single_input((16, 24), (1, 24), (7, 24)),
        draw=lambda rng, shape: 3.0 + rng.standard_normal(shape),
    ),
    Case(
        "F0 map",
        ("normalization.convert_f0",),
        Values(
            lambda x: normalization.convert_f0(x, twins.SPEAKER, twins.OTHER),
            twins.torch_convert_f0,
        ),
        single_input((64,), (7,)),
        draw=twins.draw_f0,
        dtypes=F64,
    ),
    Case(
        "Adam, 100 steps",
        ("optimizer.Adam",),
        Values(twins.adam, twins.companion_adam),
        single_input((100, 8)),
        draw=twins.draw_small_gradients,
    ),
    Case(
        "learning-rate schedule",
        ("optimizer.linear_decay",),
        Values(twins.schedule, twins.companion_schedule),
        single_input((50,)),
        draw=lambda rng, shape: rng.integers(0, 500_000, shape),
        dtypes=("int64",),
    ),
    Case(
        "conversion of any number of frames",
        ("converter.Converter",),
        Values(twins.convert, twins.torch_convert),
        single_input((128, 24), (130, 24), (5, 24), (7, 24)),
        network=True,
        dtypes=F64,
    ),
    *(
        Case(
            f"MelGAN, {name}",
            ("melgan.melgan_generator", "public_melgan.from_public_state"),
            Values(partial(twins.melgan, architecture), partial(twins.torch_melgan, architecture)),
            shapes,
            network=True,
            slow=name == "as the public one",
        )
        for name, architecture, shapes in (
            ("odd ratios", Architecture(5, 2, (3, 5), (1, 3)), single_input((3, 9, 5), (1, 4, 5))),
            ("as the public one", Architecture(), single_input((1, 16, 80))),
        )
    ),
    *(
        Case(
            f"training, four steps{', traced' if traced else ''}",
            ("trainer.Trainer",),
            Values(
                partial(twins.train_steps, "vc1", traced=traced),
                partial(twins.companion_steps, "vc1"),
            ),
            single_input((4, 2, 1, 16, 24)) if traced else single_input((4, 2, 3, 20, 24)),
            network=True,
            slow=traced,
            nudged=partial(twins.nudged_steps, "vc1"),
        )
        for traced in (False, True)
    ),
    *(
        Case(
            f"training, {variant}, four steps",
            ("trainer.Trainer", *(["generators.generate"] if variant == "mask" else [])),
            Values(partial(twins.train_steps, variant), partial(twins.companion_steps, variant)),
            single_input((4, 2, 2, 16, 22)),
            network=True,
            dtypes=F64,
            nudged=partial(twins.nudged_steps, variant),
        )
        for variant in PRESETS
        if variant != "vc1"
    ),
]  # fmt: skip

CASES = [*LAYERS, *LOSSES, *NETWORKS, *VOCODER, *PUBLIC, *VALUES]
