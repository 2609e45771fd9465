"""Functions of the public Python API; `cyclegan_vc_tf` exports them and the commands call them.

TensorFlow is imported inside the functions that need it: wrong arguments are refused without it.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan_vc_tf.config import overrides, preset_files, settings
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.hub import pretrained
from cyclegan_vc_tf.runs import exported_files
from cyclegan_vc_tf.system import packaged_models, startup
from cyclegan_vc_tf.system.errors import InputError, escaping

if TYPE_CHECKING:
    from cyclegan_vc_tf.conversion.voice_converter import VoiceConverter
    from cyclegan_vc_tf.data.speakers import Speaker
    from cyclegan_vc_tf.inspection.inspector import Inspection
    from cyclegan_vc_tf.training.callbacks import Callback, OnStep
    from cyclegan_vc_tf.training.result import TrainingResult


def load(run: str | Path, step: str | int = "last", **vocoder_settings: Any) -> "VoiceConverter":
    """Load a run to convert with.

    Args:
        run: Run folder of a training, folder of a published run, "pretrained:NAME", or an ONNX file
            of `export_model`, which needs no TensorFlow.
        step: Step of the checkpoint: a number, "last", or "best" where the training evaluated.
        **vocoder_settings: Changes of `VocoderConfig`, such as `griffin_lim_iterations=30`.

    Returns:
        Converter between the two speakers of the run.

    Raises:
        InputError: The folder is not a run, the checkpoint does not exist, or a setting is wrong.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> voices = vc.load("pretrained:vc1-demo")
        >>> voices.directions
        (<Direction.A2B: 'A2B'>, <Direction.B2A: 'B2A'>)
    """
    run_dir = find_run(run)
    opened: Any
    if exported_files.is_exported(run_dir):
        with startup.collect_later():
            from cyclegan_vc_tf.conversion.exported import ExportedRun
            from cyclegan_vc_tf.conversion.voice_converter import VoiceConverter

        opened = ExportedRun(run_dir)
    else:
        # TensorFlow takes seconds to import: wrong arguments are refused without it.
        with startup.fast_import():
            from cyclegan_vc_tf.conversion.voice_converter import VoiceConverter
            from cyclegan_vc_tf.runs import run_folder

        opened = run_folder.open_run(run_dir)
    picked = opened.pick(str(step))
    vocoder = overrides.override(opened.config.vocoder, vocoder_settings)
    return VoiceConverter(opened, picked, vocoder)


def preset(name: str, **changes: Any) -> RunConfig:
    """Return the settings of a preset.

    Args:
        name: Name of a preset, see `preset_names`.
        **changes: New values by the names of the flags, such as `steps=1000`.

    Returns:
        All settings of a run.

    Raises:
        InputError: There is no preset of that name, or a change is wrong.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> config = vc.preset("fast", steps=500)
        >>> config.network.variant, config.training.steps
        ('vc1', 500)
    """
    return overrides.override(preset_files.load_preset(name), changes)


def prepare(
    config: RunConfig | str | None = None,
    *,
    corpus: str = "",
    speakers: Sequence[str] = (),
    corpus_dir: str | Path = "",
    corpus_url: str = "",
    log: Callable[[str], None] = print,
    **changes: Any,
) -> "dict[str, Speaker]":
    """Compute the features of both speakers of a corpus; existing features are reused.

    Recordings are analysed in worker processes, one per core unless `workers` is given.

    Args:
        config: Settings, or the name of a preset; by default those of the variant's paper.
        corpus: Public corpus to download: "vcc2016", "vcc2018" or "arctic".
        speakers: Source and target speaker in the public corpus; by default a usual pair.
        corpus_dir: Folder of the public corpus; by default in the user's data folder.
        corpus_url: Mirror of the public corpus.
        log: Called with text to show: a summary of each speaker.
        **changes: New values by the names of the flags, such as `source_dir="anna"`.

    Returns:
        Speakers "A" (source) and "B" (target).

    Raises:
        InputError: A folder is missing, has no usable recording, or a setting is wrong.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> speakers = vc.prepare(
        ...     "fast", source_dir="recordings/anna", target_dir="recordings/ben",
        ...     features_dir="features", log=lambda text: None,
        ... )
        >>> speakers["A"].folder.name, len(speakers["A"].training)
        ('anna', 4)
    """
    chosen, log = _choose_config(config, changes), escaping(log)
    from cyclegan_vc_tf.data import corpus_summary, preparation
    from cyclegan_vc_tf.features import frontend

    if corpus:
        frontend.validate(chosen.features)
        public = _download(corpus, speakers, str(corpus_dir), corpus_url, chosen.corpus, log)
        chosen = replace(chosen, corpus=public)
    elif any((speakers, corpus_dir, corpus_url)):
        raise InputError("--speakers, --corpus_dir and --corpus_url go with --corpus; expected it")
    prepared = preparation.prepare(chosen.corpus, chosen.features)
    for speaker in prepared.values():
        log(speaker.describe(chosen.features))
        log(corpus_summary.format_table(corpus_summary.read(speaker.store.folder)))
        log(f"  features in {speaker.store.folder}")
        log(f"  picture: {speaker.store.folder / corpus_summary.PICTURE_FILE}")
    return prepared


def train(
    run_dir: str | Path,
    config: RunConfig | str | None = None,
    *,
    on_step: "OnStep | None" = None,
    callbacks: "Sequence[Callback]" = (),
    stop: threading.Event | None = None,
    log: Callable[[str], None] = print,
    **changes: Any,
) -> "TrainingResult":
    """Train the converters of two speakers in a new run folder, or resume a training.

    Ctrl-C, SIGTERM and the interrupt button of a notebook stop a training in the main thread after
    the current step, with a checkpoint. In another thread no signal handler is installed. For
    speed, this process then keeps the memory that it frees, and TensorFlow's threads are set unless
    TensorFlow is already in use.

    Args:
        run_dir: Run folder. Training goes on from the last checkpoint of an existing one.
        config: Settings, or the name of a preset; by default those of the existing run, or of the
            variant's paper.
        on_step: Called after every step with its number and its scalars; see `Callback.on_step`.
            `StopTraining` raised by it ends the training after this step, with a checkpoint.
        callbacks: Objects with the methods of `Callback`, called after every step and at the end.
        stop: Event that ends the training after the current step, with a checkpoint.
        log: Called with each line of text.
        **changes: New values by the names of the flags, such as `steps=1000`.

    Returns:
        Run folder, number of steps done, and whether the training is finished. It is false after
        a stop.

    Raises:
        InputError: Settings, recordings or the run folder are not usable.
        TrainingError: A loss is not finite any more.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> losses = {}
        >>> result = vc.train(
        ...     "runs/anna-ben", "fast", source_dir="recordings/anna", target_dir="recordings/ben",
        ...     features_dir="features", steps=2, channels=4, crop_frames=16,
        ...     log=lambda line: None,
        ...     on_step=lambda step, report: losses.update({step: report["loss/generator"]}),
        ... )
        >>> result.finished, result.step, list(losses)
        (True, 2, [1, 2])
    """
    path = find_run(run_dir).resolve()
    # TensorFlow takes seconds to import: wrong arguments are refused without it.
    with startup.fast_import():
        from cyclegan_vc_tf.runs import run_files, run_folder
        from cyclegan_vc_tf.system import device
        from cyclegan_vc_tf.training import callbacks as training_callbacks
        from cyclegan_vc_tf.training import loop
        from cyclegan_vc_tf.training.result import TrainingResult

    if config is None and run_files.exists(path):
        config = run_folder.open_run(path).config
    chosen = _choose_config(config, changes)
    device.configure_training(uses_all=chosen.training.strategy != "one")
    if on_step is not None:
        callbacks = [*callbacks, training_callbacks.StepFunction(on_step)]
    finished = loop.train(path, chosen, say=log, callbacks=callbacks, stop=stop)
    return TrainingResult(path, run_folder.open_run(path).checkpoints.last_step(), finished)


def inspect(run: str | Path) -> "Inspection":
    """Examine a run folder: settings, checkpoints, losses, sizes, and damage.

    Args:
        run: Run folder of a training, folder of a published run, or "pretrained:NAME".

    Returns:
        Facts by name, and a list of problems, empty for a folder in order.

    Raises:
        InputError: The folder is not a run.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> vc.inspect("pretrained:vc1-demo").problems
        []
    """
    run_dir = find_run(run)
    # TensorFlow takes seconds to import: wrong arguments are refused without it.
    with startup.fast_import():
        from cyclegan_vc_tf.inspection import inspector

    return inspector.inspect(run_dir)


def find_run(run: str | Path) -> Path:
    """Return the folder of a run or of a model that comes with the package.

    Args:
        run: Path of the folder, or "pretrained:NAME".

    Raises:
        InputError: There is no pretrained model of that name, or the path is empty.
    """
    text = str(run)
    return pretrained.find(text) if text.startswith(packaged_models.PREFIX) else _absolute(run)


def _absolute(run_dir: str | Path) -> Path:
    """Return the path of a run folder as an absolute one."""
    path = settings.absolute_path(str(run_dir))
    if not path:
        raise InputError("--run_dir is not given; see --help")
    return Path(path)


def _choose_config(config: RunConfig | str | None, changes: dict[str, Any]) -> RunConfig:
    """Return the settings that are given, named, or of the variant's paper, with changes.

    Paths become absolute, so that a run can be resumed from another folder.
    """
    if isinstance(config, RunConfig):
        paths = {
            field.name: getattr(getattr(config, section), field.name)
            for section, field, _ in settings.iterate_fields(RunConfig)
            if field.metadata["is_path"]
        }
        return overrides.override(config, {**paths, **changes})
    if config is not None:
        return preset(config, **changes)
    variant = overrides.override(RunConfig(), changes).network.variant
    return overrides.override(PRESETS[variant], changes)


def _download(
    name: str,
    speakers: Sequence[str],
    corpus_dir: str,
    url: str,
    own: CorpusConfig,
    log: Callable[[str], None],
) -> CorpusConfig:
    """Download two speakers of a public corpus where they are missing; return their folders."""
    import platformdirs

    from cyclegan_vc_tf.data import corpora, download

    corpus = corpora.find_corpus(name)
    pair = corpus.pair(speakers)
    flags = ("source_dir", "target_dir", "held_out_source_dir", "held_out_target_dir")
    given = [f"--{flag}" for flag in flags if getattr(own, flag)]
    if given:
        raise InputError(f"--corpus says where recordings are; expected no {', '.join(given)}")
    folder = Path(corpus_dir or platformdirs.user_data_path("cyclegan_vc_tf") / corpus.name)
    log(corpus.describe())
    download.download_corpus(corpus, pair, folder, url)
    places = [str(folder / side / speaker) for side in corpora.SIDES for speaker in pair]
    return replace(own, **dict(zip(flags, places, strict=True)))  # type: ignore[arg-type]
