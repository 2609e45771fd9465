"""Trainer of a vocoder: networks, optimisers, training step and the state it changes."""

from collections.abc import Mapping
from dataclasses import replace

import tensorflow as tf

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderRunConfig
from cyclegan_vc_tf.features import log_mel
from cyclegan_vc_tf.models.ordered_sum import fan_out, sum_in_order
from cyclegan_vc_tf.models.stack import make_checkpoint
from cyclegan_vc_tf.training.losses import least_squares_loss
from cyclegan_vc_tf.training.optimizer import Adam, linear_decay
from cyclegan_vc_tf.training.tracing import without_tracebacks
from cyclegan_vc_tf.training.trainer import find_nonfinite, trainable_variables
from cyclegan_vc_tf.vocoder_training import waveform_losses as losses
from cyclegan_vc_tf.vocoder_training.examples import Batch
from cyclegan_vc_tf.vocoder_training.spectrum_discriminators import (
    spectrum_discriminator,
    spectrum_input,
)
from cyclegan_vc_tf.vocoders.neural import build_networks

Tensors = dict[str, tf.Tensor]

ADAM = {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-8}
"""Adam's settings of HiFi-GAN (arXiv:2010.05646, section 3.2)."""

MEL_OF_WORLD = FeatureConfig(spectra="log_mel")
"""Log-mel spectra that are compared where the vocoder takes WORLD's features."""


class VocoderTrainer:
    """Networks, optimisers and training step of a vocoder: the only owner of state that changes.

    Args:
        config: Settings of the run.

    Attributes:
        step: Number of steps done, an int64 variable.
        networks: The vocoder's networks by name.
        discriminators: Discriminators by name.
        checkpoint: All of the state.
    """

    def __init__(self, config: VocoderRunConfig) -> None:
        self.config = config
        schedule, network = config.schedule, config.network
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.networks = build_networks(config.features, network, schedule.seed)
        self.discriminators = {
            f"discriminator_{size}": spectrum_discriminator(
                f"discriminator_{size}", network.discriminator_channels, schedule.seed
            )
            for size in network.discriminator_ffts
        }
        self.optimizer = Adam(trainable_variables(self.networks), **ADAM)
        self.discriminator_optimizer = Adam(trainable_variables(self.discriminators), **ADAM)
        self.checkpoint = make_checkpoint(
            {**self.networks, **self.discriminators},
            step=self.step,
            optimizer=self.optimizer,
            discriminator_optimizer=self.discriminator_optimizer,
        )

    def train_step(self, batch: Batch) -> tuple[Tensors, tf.Tensor]:
        """Train one step: the vocoder, and from `adversarial_start` on the discriminators too.

        Args:
            batch: Crops of the step.

        Returns:
            Scalars by their names in TensorBoard, and whether all of them are finite.

        Source: Kong, Kim and Bae, 2020, arXiv:2010.05646 (HiFi-GAN), equations 5 and 6. The
            discriminators train on the waveforms of the vocoder's step.
        """
        is_adversarial = int(self.step.read_value()) >= self.config.schedule.adversarial_start
        tensors = map(tf.constant, (batch.values, batch.pitch, batch.excitation, batch.samples))
        return self._train(*tensors, is_adversarial=is_adversarial)

    @tf.function(autograph=False)
    @without_tracebacks()
    def _train(
        self,
        values: tf.Tensor,
        pitch: tf.Tensor,
        excitation: tf.Tensor,
        samples: tf.Tensor,
        *,
        is_adversarial: bool,
    ) -> tuple[Tensors, tf.Tensor]:
        schedule = self.config.schedule
        variables = trainable_variables(self.networks)
        discriminator_variables = trainable_variables(self.discriminators)
        with tf.GradientTape(persistent=is_adversarial) as tape:
            terms, discriminator_terms = self.loss_terms(
                values, pitch, excitation, samples, is_adversarial=is_adversarial
            )
            weights = self.loss_weights()
            total = sum_in_order([weights[name] * loss for name, loss in terms.items()])
            if is_adversarial:
                discriminator_total = sum_in_order(list(discriminator_terms.values()))
        report = {f"loss/{name}": loss for name, loss in {**terms, **discriminator_terms}.items()}
        report["loss/vocoder"] = total
        rates = [
            linear_decay(self.step, initial, schedule.decay_start, schedule.decay_steps)
            for initial in (schedule.learning_rate, schedule.discriminator_learning_rate)
        ]
        gradients = tape.gradient(total, variables)
        if is_adversarial:
            discriminator_gradients = tape.gradient(discriminator_total, discriminator_variables)
            self.discriminator_optimizer.apply(
                discriminator_gradients, discriminator_variables, rates[1]
            )
        self.optimizer.apply(gradients, variables, rates[0])
        self.step.assign_add(1)
        report["gradient_norm/vocoder"] = tf.linalg.global_norm(gradients)
        report["learning_rate/vocoder"] = rates[0]
        finite = tf.reduce_all([tf.math.is_finite(value) for value in report.values()])
        return report, finite

    def loss_terms(
        self,
        values: tf.Tensor,
        pitch: tf.Tensor,
        excitation: tf.Tensor,
        samples: tf.Tensor,
        *,
        is_adversarial: bool,
    ) -> tuple[Tensors, Tensors]:
        """Compute the vocoder's loss terms and the discriminators' losses.

        Args:
            values: Normalised values of the frames, (batch, frames, values).
            pitch: Targets of the pitch network, (batch, frames, classes + 1).
            excitation: (batch, frames · hop, 2).
            samples: Recordings, (batch, frames · hop).
            is_adversarial: Whether the discriminators take part.

        Returns:
            Two dictionaries of scalars, unweighted and averaged over the batch.
        """
        schedule, features = self.config.schedule, self.config.features
        sizes = schedule.stft_ffts
        fake = tf.squeeze(self.networks["vocoder"]([values, excitation], training=True), -1)
        uses = len(sizes) + 1 + (len(self.discriminators) if is_adversarial else 0)
        mel_fake, *others = fan_out(fake, uses)
        mel = features if features.spectra == "log_mel" else MEL_OF_WORLD
        mel = replace(mel, sample_rate_hz=features.sample_rate_hz)
        filters = log_mel.mel_filters(mel)
        terms = {
            "stft": losses.multi_resolution_stft_loss(samples, others[: len(sizes)], sizes),
            "mel": losses.mel_loss(samples, mel_fake, filters, mel.fft_samples, mel.hop_samples),
        }
        if "pitch" in self.networks:
            scores = self.networks["pitch"](values, training=True)
            terms["pitch"] = losses.pitch_loss(scores, pitch)
        discriminator_terms: Tensors = {}
        if is_adversarial:
            adversarial, matching = [], []
            pairs = zip(self.discriminators.items(), others[len(sizes) :], strict=True)
            for (name, discriminator), wave in pairs:
                size = int(name.split("_")[1])
                both = tf.concat([samples, wave], 0)
                outputs = discriminator(spectrum_input(both, size), training=True)
                reals, fakes = zip(*(tf.split(output, 2) for output in outputs), strict=True)
                adversarial.append(least_squares_loss(fakes[-1], 1.0))
                matching.append(losses.feature_matching_loss(reals[:-1], fakes[:-1]))
                discriminator_terms[name] = tf.reduce_mean(
                    least_squares_loss(reals[-1], 1.0) + least_squares_loss(fakes[-1], 0.0)
                )
            count = len(self.discriminators)
            terms["adversarial"] = sum_in_order(adversarial) / count
            terms["feature_matching"] = sum_in_order(matching) / count
        means = {name: tf.reduce_mean(loss) for name, loss in terms.items()}
        return means, discriminator_terms

    def loss_weights(self) -> Mapping[str, float]:
        """Return the weights of the vocoder's losses."""
        schedule = self.config.schedule
        return {
            "stft": schedule.stft_weight,
            "mel": schedule.mel_weight,
            "pitch": schedule.pitch_weight,
            "adversarial": schedule.adversarial_weight,
            "feature_matching": schedule.feature_matching_weight,
        }

    def find_nonfinite(self) -> str:
        """Return the name of a network with a NaN or infinite weight; empty if there is none."""
        return find_nonfinite([*self.networks.values(), *self.discriminators.values()])
