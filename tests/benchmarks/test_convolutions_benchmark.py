"""The benchmark of convolutions, on small networks."""

import re
from dataclasses import replace

import pytest

from benchmarks import convolutions
from benchmarks.convolutions import LibraryDevice
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.system import device


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrow networks, and short crops of 80 bins and 16 frames."""
    paper = PRESETS["mask"]
    network = replace(paper.network, channels=4, residual_blocks=1)
    training = replace(paper.training, crop_frames=16)
    monkeypatch.setitem(PRESETS, "mask", replace(paper, network=network, training=training))
    monkeypatch.setattr(convolutions, "product_flop_s", lambda dtype: 1e9)


def test_operations_of_each_geometry_are_those_of_a_part() -> None:
    """By hand: 2 · examples · output positions · kernel sizes · channels in · channels out."""
    found = {each.layer.name: each for each in convolutions.find_convolutions("mask")}
    assert found["input_conv"].flops == 2 * 2 * (80 * 16) * (5 * 15) * 2 * 8
    assert found["output_conv"].flops == 2 * 2 * (80 * 16) * (5 * 15) * 4 * 1
    assert found["block_2_conv"].flops == 2 * 2 * (40 * 8) * (3 * 3) * 4 * 16
    assert found["output_conv"].shape == (2, 80, 16, 4)
    assert len({each.geometry for each in found.values()}) == len(found)


def test_both_devices_compute_every_part() -> None:
    (output,) = (
        each for each in convolutions.find_convolutions("mask") if each.layer.name == "output_conv"
    )
    for used in (LibraryDevice(), device.Device()):
        for precision in ("float32", "mixed_bfloat16"):
            measured = convolutions.measure(output, precision, used)
            assert set(measured) == set(convolutions.PARTS)
            assert min(measured.values()) > 0


def test_the_table_has_times_beside_those_of_a_product(capsys: pytest.CaptureFixture) -> None:
    convolutions.main(["--layer=output_conv"])
    _, _, row, _, about = capsys.readouterr().out.splitlines()
    pair = r"\d+\.\d, \d+\.\d"
    # 2 · 2 · 1280 · 75 · 4 operations at 10^9 per second.
    assert re.fullmatch(
        rf"\| output_conv \| 80x16 \| 5x15 \| 4 to 1 \| {pair} \| {pair} \| {pair} \| 1\.5 \|", row
    )
    assert about.startswith("mask, batch 2, float32, one thread. Large matrix products: 1 GFLOP/s.")


def test_an_unknown_layer_is_refused(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as error:
        convolutions.main(["--layer=first"])
    assert error.value.code == 2
    assert "--layer is first; expected one of input_conv, down_1_conv" in capsys.readouterr().err
