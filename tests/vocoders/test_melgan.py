"""Tests of MelGAN: the generator against NumPy and hand-computed numbers, files, public names."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import run_here

from cyclegan_vc_tf.interop import public_melgan, torch_files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import melgan
from cyclegan_vc_tf.vocoders.melgan import Architecture, ReflectionPadding1D, melgan_generator

SMALL = Architecture(bins=5, channels=2, ratios=(3, 2), dilations=(1, 3))

State = dict[str, np.ndarray]


def random_weights(architecture: Architecture = SMALL, seed: int = 0) -> State:
    """Make weights by address that pass a signal through all stages, with non-zero biases."""
    rng = np.random.default_rng(seed)
    return {
        address: (0.1 if len(shape) == 1 else 1.2 / np.sqrt(np.prod(shape[:2])))
        * rng.standard_normal(shape)
        for address, shape in architecture.weight_shapes().items()
    }


def build(architecture: Architecture = SMALL) -> keras.Model:
    return melgan.build(architecture, random_weights(architecture))


def log_mel(frames: int, bins: int = SMALL.bins) -> np.ndarray:
    return np.random.default_rng(frames).standard_normal((frames, bins)).astype(np.float32)


@pytest.fixture
def float64() -> Iterator[None]:
    """Build Keras models in float64 during a test."""
    keras.mixed_precision.set_global_policy("float64")
    keras.backend.set_floatx("float64")
    yield
    keras.mixed_precision.set_global_policy("float32")
    keras.backend.set_floatx("float32")


class Reference:
    """Generator in NumPy, from the defining sums: (frames, bins) → (samples,)."""

    def __init__(self, model: keras.Model) -> None:
        self.layers = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}

    def convolve(self, x: np.ndarray, name: str, pad: int = 0, dilation: int = 1) -> np.ndarray:
        """Add up each tap of the kernel times its input frames."""
        kernel, bias = self.layers[name]
        x = np.pad(x, ((pad, pad), (0, 0)), mode="reflect")
        length = len(x) - (len(kernel) - 1) * dilation
        taps = (x[k * dilation :][:length] @ kernel[k] for k in range(len(kernel)))
        return sum(taps) + bias

    def raise_rate(self, x: np.ndarray, name: str, ratio: int) -> np.ndarray:
        """PyTorch with stride r, kernel 2r, padding p = r // 2 + r % 2 cuts p first samples."""
        kernel, bias = self.layers[name]
        full = np.zeros(((len(x) + 1) * ratio, kernel.shape[1]))
        for frame, values in enumerate(x):
            full[frame * ratio :][: 2 * ratio] += kernel @ values
        first = ratio // 2 + ratio % 2
        return full[first : first + len(x) * ratio] + bias

    def __call__(
        self, x: np.ndarray, ratios: tuple[int, ...], dilations: tuple[int, ...]
    ) -> np.ndarray:
        """Synthesize samples from (frames, bins)."""

        def leaky(x: np.ndarray) -> np.ndarray:
            return np.where(x > 0, x, 0.2 * x)

        x = self.convolve(x, "input_conv", pad=3)
        for stage, ratio in enumerate(ratios, 1):
            x = self.raise_rate(leaky(x), f"up_{stage}_conv", ratio)
            for number, dilation in enumerate(dilations, 1):
                block = f"up_{stage}_residual_{number}"
                inner = self.convolve(leaky(x), f"{block}_conv", dilation, dilation)
                inner = self.convolve(leaky(inner), f"{block}_out_conv")
                x = self.convolve(x, f"{block}_shortcut") + inner
        return np.tanh(self.convolve(leaky(x), "output_conv", pad=3))[:, 0]


@pytest.mark.parametrize(
    "architecture",
    [
        SMALL,
        Architecture(bins=3, channels=1, ratios=(2,), dilations=(2,)),
        Architecture(bins=2, channels=2, ratios=(4, 5, 2), dilations=(1, 3, 9)),
    ],
    ids=str,
)
@pytest.mark.usefixtures("float64")
def test_the_generator_equals_the_defining_sums(architecture: Architecture) -> None:
    """Tolerance 1e-12: float64's 1e-16 times the length of the longest sums."""
    model, x = build(architecture), log_mel(7, architecture.bins).astype(np.float64)
    expected = Reference(model)(x, architecture.ratios, architecture.dilations)
    received = model(x[np.newaxis]).numpy()
    assert received.shape == (1, 7 * architecture.hop_samples, 1)
    assert 0.05 < np.std(expected) < 0.95, "neither silent nor clipped"
    np.testing.assert_allclose(received[0, :, 0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    # Frames 1 and 10 with a kernel of 1, 2, … add up to 1, 2, 3 + 10, 4 + 20, 30, 40 for a ratio
    # of 2, and one sample goes in front. For 3 they add up to 1, 2, 3, 4 + 10, 5 + 20, 6 + 30, 40,
    # 50, 60, and two go.
    [(2, [2, 13, 24, 30]), (3, [3, 14, 25, 36, 40, 50])],
)
def test_a_rate_is_raised_as_by_hand(ratio: int, expected: list[float]) -> None:
    model = melgan_generator(bins=1, channels=1, ratios=(ratio,), dilations=())
    kernel = np.zeros((2 * ratio, 1, 2))
    kernel[:, 0, 1] = np.arange(1, 2 * ratio + 1)
    layer = model.get_layer("up_1_conv")
    layer.set_weights([kernel, np.zeros(1)])
    stage = keras.Model(layer.input, model.get_layer("up_1_crop").output)
    samples = stage(np.array([[[7.0, 1.0], [8.0, 10.0]]], np.float32))
    np.testing.assert_array_equal(samples[0, :, 0], expected)


def test_reflection_leaves_the_outermost_frame_out() -> None:
    layer = ReflectionPadding1D(2)
    frames = np.array([1.0, 2.0, 3.0, 4.0], np.float32).reshape(1, 4, 1)
    np.testing.assert_array_equal(layer(frames)[0, :, 0], [3, 2, 1, 2, 3, 4, 3, 2])
    assert layer.compute_output_shape((1, 4, 1)) == (1, 8, 1)
    assert layer.compute_output_shape((None, None, 1)) == (None, None, 1)
    assert ReflectionPadding1D.from_config(layer.get_config()).padding == 2
    with pytest.raises(ValueError, match=r"needs more than 2 frames\. Received: 2"):
        layer(frames[:, :2])


def test_the_public_generator_has_as_many_weights_as_the_paper_says() -> None:
    """Kumar et al., 2019, table 1: 4.26 million parameters."""
    widths = (256, 128, 64, 32)
    rates = sum(2 * r * 2 * w * w + w for r, w in zip((8, 8, 2, 2), widths, strict=True))
    # Three blocks of kernels of 3, 1 and 1, each with a bias.
    blocks = sum(3 * (5 * w * w + 3 * w) for w in widths)
    ends = (7 * 80 * 512 + 512) + (7 * 32 + 1)
    assert rates + blocks + ends == 4_260_257
    model = melgan_generator()
    assert model.count_params() == 4_260_257
    assert Architecture.from_model(model) == Architecture()
    assert melgan.hop_samples(model) == 256
    shapes = {}
    for layer in model.layers:
        for kind, weight in zip(("kernel", "bias"), layer.weights, strict=False):
            shapes[f"{layer.name}/{kind}"] = tuple(weight.shape)
    assert Architecture().weight_shapes() == shapes


def test_an_architecture_is_found_in_its_model() -> None:
    for architecture in (
        SMALL,
        Architecture(4, 3, (5, 3, 2), (2, 7, 1)),
        Architecture(4, 1, (2,), ()),
    ):
        assert Architecture.from_model(melgan_generator(**vars(architecture))) == architecture


@pytest.mark.parametrize(
    ("layer", "module"),
    # Counted along Generator's list in mel2wav/modules.py.
    [
        ("input_conv", "model.1"),
        ("up_1_conv", "model.3"),
        ("up_1_residual_1_conv", "model.4.block.2"),
        ("up_1_residual_1_out_conv", "model.4.block.4"),
        ("up_1_residual_3_shortcut", "model.6.shortcut"),
        ("up_2_conv", "model.8"),
        ("up_4_conv", "model.18"),
        ("up_4_residual_3_conv", "model.21.block.2"),
        ("output_conv", "model.24"),
    ],
)
def test_public_names(layer: str, module: str) -> None:
    assert public_melgan.public_module(layer, (8, 8, 2, 2), (1, 3, 9)) == module


@pytest.mark.parametrize("layer", ["up_0_conv", "up_3_conv", "up_1_residual_3_conv", "up_1_leaky"])
def test_a_layer_that_is_not_there_has_no_public_name(layer: str) -> None:
    with pytest.raises(ValueError, match=f"2 stages has no weights of a layer '{layer}'"):
        public_melgan.public_module(layer, SMALL.ratios, SMALL.dilations)


@pytest.mark.parametrize(
    ("length", "direction"),
    [
        ("weight_g", "weight_v"),
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ],
)
def test_a_weight_is_its_direction_at_its_length(length: str, direction: str) -> None:
    """Norms: (3, 4) has 5, (1, 2, 2) has 3; a zero direction cannot be scaled to a norm."""
    state = {
        f"module.model.1.{length}": np.array([[[10.0]], [[-2.0]]]),
        f"module.model.1.{direction}": np.array(
            [[[3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]]
        ),
        f"module.model.3.{length}": np.array([[[6.0]]], np.float32),
        f"module.model.3.{direction}": np.array([[[1.0, 2.0, 2.0]]], np.float32),
        "module.model.1.bias": np.array([1.0, 2.0]),
    }
    folded = public_melgan.fold_weight_norm(state)
    assert set(folded) == {"model.1.weight", "model.3.weight", "model.1.bias"}
    np.testing.assert_array_equal(folded["model.1.weight"], [[[6, 0], [0, 8]], [[0, 0], [0, 0]]])
    np.testing.assert_array_equal(folded["model.3.weight"], [[[2, 4, 4]]])
    assert folded["model.3.weight"].dtype == np.float32
    assert folded["model.1.bias"] is state["module.model.1.bias"]


def test_whole_weights_pass_and_only_a_prefix_of_all_keys_goes() -> None:
    state = {"module.model.1.weight": np.ones(1), "other.model.2.bias": np.ones(1)}
    assert public_melgan.fold_weight_norm(state) == state
    assert set(public_melgan.fold_weight_norm({"weight": np.ones(1)})) == {"weight"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight_v": None}, r"a\.weight_g stands without a\.weight_v"),
        ({"weight": np.ones((2, 3, 4))}, r"a\.weight_g stands beside a\.weight;"),
        (
            {"weight_g": np.ones((1, 2, 1))},
            r"a\.weight_g is \[1, 2, 1\] for a\.weight_v \[2, 3, 4\]",
        ),
    ],
)
def test_lengths_that_do_not_fit_are_refused(change: dict, said: str) -> None:
    parts = {"weight_g": np.ones((2, 1, 1)), "weight_v": np.ones((2, 3, 4)), **change}
    with pytest.raises(InputError, match=said):
        public_melgan.fold_weight_norm(
            {f"a.{name}": value for name, value in parts.items() if value is not None}
        )


def public_state(architecture: Architecture = SMALL) -> State:
    """Make random weights in the public layout, with separate norms."""
    state = {}
    for address, value in random_weights(architecture).items():
        layer, _, kind = address.rpartition("/")
        module = public_melgan.public_module(layer, architecture.ratios, architecture.dilations)
        if kind == "bias":
            state[f"{module}.bias"] = value.astype(np.float32)
        else:
            weight = value.transpose(2, 1, 0).astype(np.float32)
            state[f"{module}.weight_g"] = np.sqrt((weight**2).sum(axis=(1, 2), keepdims=True))
            state[f"{module}.weight_v"] = 3 * weight
    return state


@pytest.mark.parametrize("bins", [5, 6])
def test_a_public_state_says_what_to_build(bins: int) -> None:
    architecture = Architecture(bins, 3, (3, 2, 4), (1, 3, 9))
    model = public_melgan.from_public_state(public_state(architecture))
    assert Architecture.from_model(model) == architecture
    expected = random_weights(architecture)
    assert len(model.weights) == len(expected)
    for address, value in expected.items():
        layer, _, kind = address.rpartition("/")
        received = getattr(model.get_layer(layer), kind).numpy()
        np.testing.assert_allclose(received, value, rtol=1e-6, err_msg=address)


def unread(state: State) -> None:
    state["model.4.block.3.weight"] = np.zeros(3, np.float32)


def unset(state: State) -> None:
    del state["model.8.shortcut.bias"]


def another_shape(state: State) -> None:
    state["model.7.weight_v"] = state["model.7.weight_v"][:, :, 1:]


def another_type(state: State) -> None:
    state["model.3.bias"] = state["model.3.bias"].astype(np.int64)


def not_finite(state: State) -> None:
    state["model.3.weight_g"][1] = np.nan


def too_large(state: State) -> None:
    state["model.3.bias"] = np.full(4, 1e300)


def too_large_direction(state: State) -> None:
    state["model.3.weight_v"] = np.full(state["model.3.weight_v"].shape, 1e300)


def another_model(state: State) -> None:
    state.clear()
    state["encoder.weight"] = np.zeros((3, 3), np.float32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (unread, r"keys unread: model\.4\.block\.3\.weight;"),
        (unset, r"variables unset: up_2_residual_1_shortcut/bias \(model\.8\.shortcut\.bias\)"),
        (another_shape, r"model\.7\.weight is float32\[4, 2, 3\], expected float\[4, 2, 2\]"),
        (another_type, r"model\.3\.bias is int64\[4\], expected float\[4\]"),
        (not_finite, r"model\.3\.weight holds a value that is not finite"),
        (too_large, r"model\.3\.bias holds a value that is not finite"),
        (too_large_direction, r"model\.3\.weight holds a value that is not finite"),
        (another_model, r"received encoder\.weight;"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_by_name(
    change: Callable[[State], None], said: str
) -> None:
    state = public_state()
    change(state)
    with pytest.raises(InputError, match=f"not those of a MelGAN generator; .*{said}") as refused:
        public_melgan.from_public_state(state)
    assert "\n" not in str(refused.value)


def test_an_error_names_the_first_faults_and_counts_the_rest() -> None:
    state = {key: value for key, value in public_state().items() if "block" not in key}
    # 4 blocks of 2 convolutions of a kernel and a bias are gone.
    with pytest.raises(InputError, match=r"\(model\.4\.block\.2\.weight\).* and 10 more; give"):
        public_melgan.from_public_state(state)


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    model, path = build(), tmp_path / "new" / "vocoder.npz"
    melgan.save(model, path)
    loaded, analysis = melgan.load(path)
    assert analysis == melgan.Analysis(22_050, 1024), "the public ones'"
    assert Architecture.from_model(loaded) == SMALL
    for ours, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.name)
    x = log_mel(6)
    np.testing.assert_array_equal(melgan.synthesize(model, x), melgan.synthesize(loaded, x))
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Bytes of a vocoder file."""
    path = tmp_path_factory.mktemp("saved") / "vocoder.npz"
    melgan.save(build(), path)
    return path.read_bytes()


def rewritten(path: Path, change: Callable[[State], object]) -> None:
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    change(arrays)
    with path.open("wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "does not exist or is not a file"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-30]),
            "is not a vocoder file, or is damaged",
        ),
        (
            lambda path: path.write_bytes(path.read_bytes()[:300]),
            "is not a vocoder file, or is damaged",
        ),
        (lambda path: path.write_bytes(b""), "is not a vocoder file, or is damaged"),
        (
            lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
            "is not a vocoder file, or is damaged",
        ),
        (lambda path: np.savez(path, mean=np.zeros(3)), "is not a vocoder file, or is damaged"),
        (
            lambda path: np.savez(path, melgan=np.array([{}], object)),
            "is not a vocoder file, or is damaged",
        ),
        (
            lambda path: rewritten(path, lambda a: a.update(melgan=np.array(2))),
            "has format 2; expected format 1",
        ),
        (
            lambda path: rewritten(path, lambda a: a.update(bins=np.array(6))),
            r"input_conv/kernel is float32\[7, 5, 8\], expected float\[7, 6, 8\]",
        ),
        (
            lambda path: rewritten(path, lambda a: a.update(ratios=np.array(3))),
            "has an unsupported architecture",
        ),
        (
            lambda path: rewritten(path, lambda a: a.update(dilations=np.array([1, 0]))),
            r"not a complete vocoder; dilations \[1, 0\]",
        ),
        (
            lambda path: rewritten(path, lambda a: a.pop("up_2_conv/bias")),
            "variables unset: up_2_conv/bias;",
        ),
        (
            lambda path: rewritten(path, lambda a: a.update(more=np.zeros(1))),
            "keys unread: more;",
        ),
    ],
)
def test_a_file_that_is_not_a_vocoder_is_refused_in_one_line(
    tmp_path: Path, saved: bytes, harm: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "vocoder.npz"
    path.write_bytes(saved)
    harm(path)
    with pytest.raises(InputError, match=said) as refused:
        melgan.load(path)
    assert str(path) in str(refused.value)
    assert "import_vocoder" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_damaged_byte_is_detected_or_changes_nothing(
    tmp_path: Path, saved: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading skips building the model, which is slow."""
    monkeypatch.setattr(melgan, "build", lambda architecture, arrays: (architecture, arrays))
    path, refused, rng = tmp_path / "vocoder.npz", 0, np.random.default_rng(1)
    for place in rng.integers(len(saved), size=200):
        damaged = bytearray(saved)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            (architecture, arrays), analysis = melgan.load(path)
        except InputError:
            refused += 1
            continue
        assert architecture == SMALL and analysis == melgan.Analysis()
        for address, value in random_weights().items():
            np.testing.assert_array_equal(arrays[address], value.astype(np.float32))
    assert 100 < refused < 200


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "architecture",
    [SMALL, Architecture(5, 1, (5, 4), (1, 3, 9)), Architecture(5, 1, (2, 2, 2), ())],
    ids=str,
)
@pytest.mark.parametrize("chunk_frames", [3, 16])
def test_chunks_are_parts_of_the_whole(architecture: Architecture, chunk_frames: int) -> None:
    """Tolerance: rounding to float32."""
    model, x = build(architecture), log_mel(45)
    whole = model(x[np.newaxis]).numpy()[0, :, 0]
    samples = melgan.synthesize(model, x, chunk_frames=chunk_frames)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, whole, rtol=0, atol=1e-7)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("architecture", [SMALL, Architecture(5, 1, (5, 4), (1, 3, 9))], ids=str)
def test_no_frame_further_than_the_context_matters_and_the_next_to_last_does(
    architecture: Architecture,
) -> None:
    """The count may be one frame too many, not more: found by changing a frame in the middle."""
    model, x, middle = build(architecture), log_mel(61), 30
    changed = x.copy()
    changed[middle] += 1.0
    difference = np.abs(model(x[np.newaxis]) - model(changed[np.newaxis]))[0, :, 0]
    (moved,) = np.nonzero(difference.reshape(61, -1).max(axis=1) > 1e-14)
    reach = max(middle - moved[0], moved[-1] - middle)
    assert architecture.context_frames - 1 <= reach <= architecture.context_frames


def test_a_long_recording_goes_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    model, lengths = build(), []
    call = type(model).call

    def counted(self: keras.Model, x: np.ndarray, **options: object) -> object:
        lengths.append(x.shape[1])
        return call(self, x, **options)

    monkeypatch.setattr(type(model), "call", counted)
    assert len(melgan.synthesize(model, log_mel(1200))) == 1200 * 6
    assert max(lengths) <= melgan.CHUNK_FRAMES + 2 * SMALL.context_frames
    assert len(lengths) == 3


@pytest.mark.parametrize("frames", [0, 1, 3, 4, 5])
def test_a_short_one_is_spoken_with_its_last_frame_held(frames: int) -> None:
    model, x = build(), log_mel(frames)
    assert SMALL.min_frames == 4
    samples = melgan.synthesize(model, x)
    assert samples.shape == (frames * 6,)
    if frames:
        held = np.pad(x, ((0, max(0, 4 - frames)), (0, 0)), mode="edge")
        whole = model(held[np.newaxis]).numpy()[0, :, 0]
        np.testing.assert_array_equal(samples, whole[: frames * 6])


@pytest.mark.parametrize(
    ("architecture", "frames"),
    [
        (Architecture(), 4),
        (Architecture(5, 1, (2, 2), (9,)), 5),
        (Architecture(5, 1, (2,), (8,)), 5),
    ],
)
def test_the_shortest_input_is_the_shortest(architecture: Architecture, frames: int) -> None:
    assert architecture.min_frames == frames
    if architecture.channels == 1:
        model = build(architecture)
        assert model(log_mel(frames)[np.newaxis]).shape[1] == frames * architecture.hop_samples
        with pytest.raises(ValueError, match="needs more than"):
            model(log_mel(frames - 1)[np.newaxis])


@pytest.mark.parametrize("shape", [(5, 8), (8,), (1, 8, 5)])
def test_a_spectrum_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"the vocoder takes \(frames, 5\)"):
        melgan.synthesize(build(), np.zeros(shape, np.float32))


def test_without_pytorch_a_file_of_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that does not exist is reported before the missing package."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="is not there or no file"):
        torch_files.read(tmp_path / "public.pt")
    (tmp_path / "public.pt").touch()
    with pytest.raises(InputError, match=r"not installed; pip install -e '\.\[import\]'"):
        torch_files.read(tmp_path / "public.pt")


def test_the_command_refuses_before_it_reads(tmp_path: Path) -> None:
    checkpoint = tmp_path / "public.pt"
    checkpoint.write_bytes(b"")
    for flags, said in (
        ([], "--checkpoint is not given"),
        ([f"--checkpoint={checkpoint}"], "--output is not given"),
        ([f"--checkpoint={checkpoint}", f"--output={checkpoint}"], "would overwrite"),
        (
            [f"--checkpoint={checkpoint}", f"--output={tmp_path}"],
            "is not a file; expected a file to write",
        ),
    ):
        done = run_here("import_vocoder", *flags)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
