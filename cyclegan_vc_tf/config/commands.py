"""Settings of one call of a command; each field is a flag."""

from dataclasses import dataclass
from typing import Any

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.settings import setting

RUN_DIR_HELP = (
    "Run folder of a training, folder of a published run, or pretrained:NAME for a model that "
    "comes with the package."
)
STEP_HELP = "Step of the checkpoint: a number, last, or best for a training with --evaluate_every."

OWN_VOCODER = "own"
"""Vocoder of an evaluation that is the run's."""


def direction_setting() -> Any:
    """Return the field of the direction of a conversion."""
    return setting(
        "A2B",
        "Direction of conversion: A2B from speaker A to speaker B, or B2A.",
        choices=tuple(map(str, Direction)),
    )


def f0_setting() -> Any:
    """Return the field of how F0 is converted."""
    return setting(
        "convert",
        "Map F0 to the range of the target speaker (convert), or keep it.",
        choices=("convert", "keep"),
    )


def semitones_setting() -> Any:
    """Return the field of the shift of F0."""
    return setting(0.0, "Semitones to raise F0 by after --f0.", minimum=-36.0, maximum=36.0)


def adapt_source_setting(recordings: str) -> Any:
    """Return the field of the adaptation to a voice that a model was not trained with.

    Args:
        recordings: Flag or name of the recordings of that voice.
    """
    return setting(
        False,
        f"Adapt to the voice of {recordings}, where the model was trained with another: its "
        "frequency axis, its average spectrum and its F0 are moved to the training speaker's.",
    )


@dataclass(frozen=True)
class ConvertConfig:
    """Settings of one conversion."""

    run_dir: str = setting(
        "", f"{RUN_DIR_HELP} Or an ONNX file of the command export, which needs no TensorFlow."
    )
    input: str = setting("", "Recording, or folder of recordings.", is_path=True)
    output: str = setting(
        "",
        "Folder of the converted wav files; for a single recording also a file that ends in .wav.",
        is_path=True,
    )
    direction: str = direction_setting()
    step: str = setting("last", STEP_HELP)
    keep_sample_rate: bool = setting(
        False, "Write at the sample rate of each recording instead of the model's."
    )
    f0: str = f0_setting()
    semitones: float = semitones_setting()
    adapt_source: bool = adapt_source_setting("--input")


@dataclass(frozen=True)
class EvaluateConfig:
    """Settings of one evaluation."""

    run_dir: str = setting("", RUN_DIR_HELP)
    step: str = setting("last", STEP_HELP)
    held_out_source_dir: str = setting(
        "",
        "Folder of recordings of speaker A to evaluate on; by default the run's held-out "
        "recordings. Imported, published and pretrained runs need it.",
        is_path=True,
        allows_url=True,
    )
    held_out_target_dir: str = setting(
        "",
        "Folder of recordings of speaker B to evaluate on. A file named as one of A's holds A's "
        "sentence.",
        is_path=True,
        allows_url=True,
    )
    enrolment_source_dir: str = setting(
        "",
        "Folder of recordings that define speaker A's voice for similarities; by default the run's "
        "training recordings, or without any the held-out recordings.",
        is_path=True,
        allows_url=True,
    )
    enrolment_target_dir: str = setting(
        "",
        "Folder of recordings that define speaker B's voice for similarities.",
        is_path=True,
        allows_url=True,
    )
    vocoder: str = setting(
        OWN_VOCODER,
        "Vocoder to convert with: griffin_lim, melgan, the folder of a trained vocoder or "
        "pretrained:NAME; own is the run's.",
        choices=(OWN_VOCODER, "griffin_lim", "melgan"),
        or_folder=True,
    )
    adapt_source: bool = adapt_source_setting("the source recordings of each direction")
    examples: int = setting(3, "Recordings per direction to see and hear in the report.", minimum=0)
    output: str = setting(
        "",
        "Folder of the report; by default RUN/evaluation/step-STEP. With folders of recordings it "
        "is evaluation/RUN/step-STEP in the working folder, and with another vocoder "
        "evaluation/RUN/step-STEP-VOCODER.",
        is_path=True,
    )
    json: str = setting("", "File to write the metrics to as JSON.", is_path=True)


@dataclass(frozen=True)
class CompareConfig:
    """Settings of one comparison."""

    run_dirs: tuple[str, ...] = setting(
        (), f"Runs to compare, with commas between them. Each one: {RUN_DIR_HELP}"
    )
    vocoders: tuple[str, ...] = setting(
        (),
        "Vocoders of each run, as in --vocoder; one that does not fit a run is left out and "
        "named. By default each run has its own vocoder.",
    )
    step: str = setting("last", STEP_HELP)
    held_out_source_dir: str = setting(
        "",
        "Folder of recordings of speaker A; by default the held-out recordings of the first run.",
        is_path=True,
        allows_url=True,
    )
    held_out_target_dir: str = setting(
        "",
        "Folder of recordings of speaker B. A file named as one of A's holds A's sentence.",
        is_path=True,
        allows_url=True,
    )
    examples: int = setting(4, "Recordings per direction.", minimum=1)
    output: str = setting("", "Folder of the page; a page that is there is replaced.", is_path=True)


@dataclass(frozen=True)
class ExportConfig:
    """Settings of one export."""

    run_dir: str = setting("", RUN_DIR_HELP)
    output: str = setting(
        "",
        "File to write, or folder of a SavedModel or a page; an existing one is replaced.",
        is_path=True,
    )
    format: str = setting(
        "torch",
        "Format: torch, state dictionaries of all networks; one generator with normalisation "
        "inside, or a vocoder: onnx, tflite, keras or savedmodel; or page, a folder of files for "
        "any web server, which converts log-mel runs in the browser.",
        choices=("torch", "onnx", "tflite", "keras", "savedmodel", "page"),
    )
    layout: str = setting(
        "companion",
        "Keys of the weights of --format=torch: companion of the parity suite, or karkirowle of "
        "github.com/karkirowle/cyclegan_pytorch, for runs with that project's networks.",
        choices=("companion", "karkirowle"),
    )
    step: str = setting("last", STEP_HELP)
    direction: str = direction_setting()
    quantize: str = setting(
        "none",
        "Precision of --format=onnx and tflite: none, float16 for kernels of half the size, or "
        "int8 for convolutions of 8-bit integers.",
        choices=("none", "float16", "int8"),
    )
    calibration_dir: str = setting(
        "",
        "Folder of recordings of the source speaker that --quantize=int8 is calibrated with; by "
        "default the run's held-out recordings.",
        is_path=True,
    )
    about: str = setting(
        "",
        "Markdown file with the beginning of the model card in the file; by default the card of a "
        "published run.",
        is_path=True,
    )
    licence: str = setting("", "Licence of the voices, to be kept in the file.")
    vocoder_checkpoint: str = setting(
        "",
        "Vocoder file, folder of a vocoder of train_vocoder, or pretrained:NAME, to export in the "
        "place of a run; with --format=page the page's vocoder, by default the run's own.",
    )
    runtime: str = setting(
        "node_modules/onnxruntime-web",
        "Folder of the npm package onnxruntime-web, which --format=page copies three files of.",
        is_path=True,
    )


@dataclass(frozen=True)
class PublicCorpusConfig:
    """Public corpus to prepare."""

    corpus: str = setting(
        "",
        "Public corpus to download: vcc2016, vcc2018 or arctic. Two of its speakers are prepared.",
    )
    speakers: tuple[str, ...] = setting(
        (),
        "Source and target speaker in --corpus, such as SF1,TF2; by default a usual pair.",
    )
    corpus_dir: str = setting(
        "", "Folder of --corpus; by default in the user's data folder.", is_path=True
    )
    corpus_url: str = setting(
        "",
        "Mirror of --corpus, http://HOST/FOLDER, in place of the usual address of the archives.",
    )
