"""Stand-ins for GPUs that this machine does not have, in TensorFlow's lists of devices."""

import pytest
import tensorflow as tf

A100 = {"device_name": "NVIDIA A100-SXM4-40GB", "compute_capability": (8, 0)}
T4 = {"device_name": "Tesla T4", "compute_capability": (7, 5)}


def install(patch: pytest.MonkeyPatch, *details: dict) -> list[tf.config.PhysicalDevice]:
    """Let TensorFlow list one GPU per dictionary of details, and record how they are configured.

    Returns:
        Devices that TensorFlow lists.
    """
    gpus = [
        tf.config.PhysicalDevice(f"/physical_device:GPU:{index}", "GPU")
        for index in range(len(details))
    ]
    visible = list(gpus)
    physical = tf.config.list_physical_devices
    details_of = dict(zip(gpus, details, strict=True))

    def set_visible(devices: tf.config.PhysicalDevice, kind: str) -> None:
        assert kind == "GPU"
        visible[:] = [devices]

    patch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind=None: list(gpus) if kind == "GPU" else physical(kind),
    )
    patch.setattr(tf.config, "get_visible_devices", lambda kind=None: list(visible))
    patch.setattr(tf.config, "set_visible_devices", set_visible)
    patch.setattr(tf.config.experimental, "get_device_details", details_of.__getitem__)
    return gpus
