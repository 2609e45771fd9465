"""Generators: features of one speaker in, features of the other out, with equally many frames."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.models.generator_blocks import BIN_MULTIPLE, GeneratorBlocks
from cyclegan_vc_tf.models.layers import BinsByFrames, MaskFrames, PixelShuffle1D, without_autograph

LINEAR_SKIP = "linear_skip"
"""Name of the layer that adds a linear map of a generator's input to its output."""

LINEAR_SKIP_FRAMES = 5
"""Kernel size of the linear skip, in frames."""


def generate(
    generator: keras.Model, features: tf.Tensor, mask: tf.Tensor | None = None, **options: Any
) -> tf.Tensor:
    """Convert features with any generator of the family.

    Args:
        generator: Generator with or without a mask among its inputs.
        features: (batch, frames, bins).
        mask: (batch, frames, 1), 0 where a frame is to be filled in. By default no frame is. A
            generator without a mask input ignores it.
        options: Options of the call, such as `training`.

    Returns:
        (batch, frames, bins).
    """
    if len(generator.inputs) == 1:
        return generator(features, **options)
    if mask is None:
        mask = tf.ones_like(features[..., :1])
    # Keras 3 takes several inputs as tensors only, or as arrays only.
    return generator([tf.convert_to_tensor(each) for each in (features, mask)], **options)


@without_autograph
def vc1_generator(name: str, bins: int, config: NetworkConfig, seed: int) -> keras.Model:
    """Build the 1-D generator of CycleGAN-VC.

    Args:
        name: Name of the model. It decides the initial weights together with `seed`.
        bins: Values per frame.
        config: Widths, kernels, padding, epsilon.
        seed: The run's seed.

    Returns:
        (batch, frames, bins) → (batch, frames, bins), frames a multiple of 4.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, figure 4.
    """
    make = GeneratorBlocks(name, config, seed)
    inputs = keras.Input((None, bins), name="features")
    hidden = make.residuals(make.downsample(inputs))
    for index in (1, 2):
        block = f"up_{index}"
        # The shuffle halves the channels, and a gated linear unit halves them again.
        hidden = make.up_conv(hidden, index, 2)
        hidden = PixelShuffle1D(name=f"{block}_shuffle")(hidden)
        hidden = make.up_gate(make.norm(hidden, block), block)
    outputs = make.convolve(hidden, bins, make.kernels[6], (1,), "output_conv")
    return _model(name, config, inputs, inputs, outputs)


@without_autograph
def vc2_generator(name: str, bins: int, config: NetworkConfig, seed: int) -> keras.Model:
    """Build the 2-1-2-D generator of CycleGAN-VC2.

    Bins that are not a multiple of 4 are padded with zeros behind the last bin and cut again.

    Args:
        name: Name of the model. It decides the initial weights together with `seed`.
        bins: Values per frame.
        config: Widths, kernels, padding, epsilon.
        seed: The run's seed.

    Returns:
        (batch, frames, bins) → (batch, frames, bins), frames a multiple of 4.

    Source: Kaneko et al., 2019, arXiv:1904.04631, section 3.2. Public code decides the order of
        the fold and the place of each norm.
    """
    make = GeneratorBlocks(name, config, seed)
    features = keras.Input((None, bins), name="features")
    hidden = make.encode(_to_bins_by_frames(_to_picture(features)))
    outputs = make.decode(make.norm(hidden, "unfold"), bins, make.norm)
    return _model(name, config, features, features, outputs)


@without_autograph
def vc3_generator(name: str, bins: int, config: NetworkConfig, seed: int) -> keras.Model:
    """Build the generator of CycleGAN-VC3: CycleGAN-VC2's with adaptive normalisation.

    TFAN replaces instance normalisation behind the step from 1-D to 2-D and behind both pixel
    shuffles.

    Args:
        name: Name of the model. It decides the initial weights together with `seed`.
        bins: Values per frame.
        config: Widths, kernels, padding, epsilon, and the size of each TFAN.
        seed: The run's seed.

    Returns:
        (batch, frames, bins) → (batch, frames, bins), frames a multiple of 4.

    Source: Kaneko et al., 2020, arXiv:2010.11672.
    """
    make = GeneratorBlocks(name, config, seed)
    features = keras.Input((None, bins), name="features")
    # The encoder and three TFANs take the picture.
    pictures = BinsByFrames(4, name="bins_by_frames")(_to_picture(features))
    of_block = {"unfold": pictures[1], "up_1": pictures[2], "up_2": pictures[3]}
    hidden = make.encode(pictures[0])
    order = keras.layers.Permute((2, 1, 3), name="frames_by_bins")(of_block["unfold"])
    frames = keras.layers.Reshape((-1, order.shape[2]), name="frames")(order)
    hidden = make.tfan(hidden, frames, "unfold")
    outputs = make.decode(
        hidden, bins, lambda hidden, block: make.tfan(hidden, of_block[block], block)
    )
    return _model(name, config, features, features, outputs)


@without_autograph
def mask_generator(name: str, bins: int, config: NetworkConfig, seed: int) -> keras.Model:
    """Build the generator of MaskCycleGAN-VC: CycleGAN-VC2's with a mask as a second channel.

    Args:
        name: Name of the model. It decides the initial weights together with `seed`.
        bins: Values per frame.
        config: Widths, kernels, padding, epsilon.
        seed: The run's seed.

    Returns:
        (batch, frames, bins) and a mask, (batch, frames, 1), → (batch, frames, bins), frames a
        multiple of 4. The mask is 0 where a frame is to be filled in.

    Source: Kaneko et al., 2021, arXiv:2102.12841.
    """
    make = GeneratorBlocks(name, config, seed)
    features = keras.Input((None, bins), name="features")
    picture = _to_picture(features)
    mask = keras.Input((None, 1), name="mask")
    # The mask covers whole frames, with the bins that are padding.
    padded = keras.layers.Reshape((-1, picture.shape[2]), name="filled")(picture)
    picture = MaskFrames(name="masked")([padded, mask])
    hidden = make.encode(_to_bins_by_frames(picture))
    outputs = make.decode(make.norm(hidden, "unfold"), bins, make.norm)
    return _model(name, config, [features, mask], features, outputs)


def set_linear_skip(generator: keras.Model, kernel: np.ndarray) -> None:
    """Set a generator's linear skip, and scale its other outputs to a tenth.

    Args:
        generator: Freshly built generator with `vtln_init`.
        kernel: (LINEAR_SKIP_FRAMES, bins, bins), kernel of a convolution over frames.
    """
    generator.get_layer(LINEAR_SKIP).set_weights([kernel])
    output = generator.get_layer("output_conv")
    output.set_weights([0.1 * weight for weight in output.get_weights()])


def linear_skip_output(generator: keras.Model, features: tf.Tensor) -> tf.Tensor:
    """Return the output of a generator's linear skip, or `features` where it has none.

    Args:
        generator: Any generator of the family.
        features: (batch, frames, bins).

    Returns:
        (batch, frames, bins).
    """
    names = {layer.name for layer in generator.layers}
    return generator.get_layer(LINEAR_SKIP)(features) if LINEAR_SKIP in names else features


def _to_picture(features: Any) -> Any:
    """Return features as a picture of one channel, with bins padded to a multiple of 4.

    Args:
        features: (batch, frames, bins).

    Returns:
        (batch, frames, padded bins, 1).
    """
    bins = features.shape[-1]
    picture = keras.layers.Reshape((-1, bins, 1), name="one_channel")(features)
    if missing := -bins % BIN_MULTIPLE:
        zeros = ((0, 0), (0, missing))
        picture = keras.layers.ZeroPadding2D(zeros, name="bins_filled_up")(picture)
    return picture


def _to_bins_by_frames(picture: Any) -> Any:
    """Swap the axes of a picture: (batch, frames, bins, …) → (batch, bins, frames, …)."""
    return keras.layers.Permute((2, 1, 3), name="bins_by_frames")(picture)


def _model(
    name: str, config: NetworkConfig, inputs: Any, features: Any, outputs: Any
) -> keras.Model:
    """Return the model, with a linear skip from `features` where the settings ask for it."""
    if config.vtln_init:
        outputs = _add_linear_skip(features, outputs)
    return keras.Model(inputs, outputs, name=name)


def _add_linear_skip(features: Any, outputs: Any) -> Any:
    """Add a frozen convolution of the input to the output, except that it alone makes bin 0."""
    bins = features.shape[-1]
    skip = keras.layers.Conv1D(
        bins, LINEAR_SKIP_FRAMES, padding="same", use_bias=False, name=LINEAR_SKIP, trainable=False,
        kernel_initializer=_identity_kernel,
    )  # fmt: skip
    # Bin 0 is the level. A learned level comes in bursts.
    learned_bins = [0.0] + [1.0] * (bins - 1)
    learned = keras.layers.Rescaling(learned_bins, name="keep_level")(outputs)
    return keras.layers.Add(name="linear_skip_add")([skip(features), learned])


def _identity_kernel(shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
    """Return a kernel, (frames, bins, bins), that leaves every frame as it is."""
    at_the_middle = tf.one_hot(shape[0] // 2, shape[0], dtype=dtype)
    return at_the_middle[:, tf.newaxis, tf.newaxis] * tf.eye(shape[1], dtype=dtype)
