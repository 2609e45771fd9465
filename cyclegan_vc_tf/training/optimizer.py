"""Adam on TensorFlow's fused kernel, and the learning-rate schedule."""

from collections.abc import Sequence

import tensorflow as tf


class Adam(tf.Module):
    """Adam with TensorFlow 1's placement of epsilon, exact in the precision of its variables.

    m ← beta1 · m + (1 - beta1) · g
    v ← beta2 · v + (1 - beta2) · g²
    w ← w - rate · sqrt(1 - beta2^t) / (1 - beta1^t) · m / (sqrt(v) + epsilon)

    Args:
        variables: Variables to train, always in the same order.
        beta1: Decay of the first moment.
        beta2: Decay of the second moment.
        epsilon: Number added to the root of the second moment, outside the bias correction.

    Source: Kingma and Ba, 2014, arXiv:1412.6980, the form at the end of its section 2.
    """

    def __init__(
        self, variables: Sequence[tf.Variable], beta1: float, beta2: float, epsilon: float
    ) -> None:
        super().__init__(name="adam")
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.iterations = tf.Variable(0, dtype=tf.int64, trainable=False, name="iterations")
        self.first_moments = [_zeros_like(variable) for variable in variables]
        self.second_moments = [_zeros_like(variable) for variable in variables]

    def apply(
        self,
        gradients: Sequence[tf.Tensor],
        variables: Sequence[tf.Variable],
        learning_rate: tf.Tensor,
    ) -> None:
        """Update `variables` by one step.

        Args:
            gradients: One gradient per variable; None is not allowed.
            variables: Variables given to the constructor, in the same order.
            learning_rate: Learning rate, a scalar.

        Raises:
            ValueError: A gradient is None, because its variable has no part in the loss.
        """
        self.iterations.assign_add(1)
        time = tf.cast(self.iterations, tf.float64)
        scalars = {
            "beta1_power": tf.pow(tf.constant(self.beta1, tf.float64), time),
            "beta2_power": tf.pow(tf.constant(self.beta2, tf.float64), time),
            "lr": learning_rate,
            "beta1": tf.constant(self.beta1, tf.float64),
            "beta2": tf.constant(self.beta2, tf.float64),
            "epsilon": tf.constant(self.epsilon, tf.float64),
        }
        # One set for all variables of a precision: the graph of a step is built and optimised in
        # time that grows with its operations.
        by_dtype = {
            dtype: {name: tf.cast(value, dtype) for name, value in scalars.items()}
            for dtype in {variable.dtype for variable in variables}
        }
        for variable, gradient, first, second in zip(
            variables, gradients, self.first_moments, self.second_moments, strict=True
        ):
            if gradient is None:
                raise ValueError(f"{variable.name} has no gradient; every variable needs one")
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                grad=gradient,
                **by_dtype[variable.dtype],
            )


def linear_decay(step: tf.Tensor, initial: float, decay_start: int, decay_steps: int) -> tf.Tensor:
    """Return a learning rate that is constant, then falls linearly to zero and stays zero.

    Args:
        step: Number of steps done, an integer scalar. It is a tensor, so that a traced function
            follows it.
        initial: Learning rate until `decay_start`.
        decay_start: Step at which the rate begins to fall.
        decay_steps: Number of steps from there until the rate is zero.

    Returns:
        Learning rate, a float64 scalar.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, section 4.1.
    """
    share = (tf.cast(step, tf.float64) - decay_start) / decay_steps
    return tf.constant(initial, tf.float64) * (1.0 - tf.clip_by_value(share, 0.0, 1.0))


def _zeros_like(variable: tf.Variable) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False)
