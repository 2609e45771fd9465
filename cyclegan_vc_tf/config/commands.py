"""Settings of one call of a command; each field is a flag."""

from dataclasses import dataclass

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.settings import setting

RUN_DIR_HELP = "Run folder of a training, or pretrained:NAME, a model that comes with the package."
STEP_HELP = "Step of the checkpoint, or last, or best, where the training evaluated them."


@dataclass(frozen=True)
class ConvertConfig:
    """One call of the converter."""

    run_dir: str = setting("", RUN_DIR_HELP)
    input: str = setting("", "A recording, or a folder of them.", is_path=True)
    output: str = setting("", "Folder of the converted wav files.", is_path=True)
    direction: str = setting(
        "A2B", "From A to B, or from B to A.", choices=tuple(map(str, Direction))
    )
    step: str = setting("last", STEP_HELP)
    keep_sample_rate: bool = setting(
        False, "Write at the rate of each recording instead of the model's."
    )
    f0: str = setting(
        "convert", "Map F0 to the target's range, or keep it.", choices=("convert", "keep")
    )
    semitones: float = setting(
        0.0, "Semitones to raise F0 by after that.", minimum=-36.0, maximum=36.0
    )


@dataclass(frozen=True)
class EvaluateConfig:
    """One call of the evaluation."""

    run_dir: str = setting("", RUN_DIR_HELP)
    step: str = setting("last", STEP_HELP)
    held_out_source_dir: str = setting(
        "",
        "Folder of recordings of speaker A to evaluate on; by default the run's held-out "
        "recordings. Imported, published and pretrained runs need it.",
        is_path=True,
    )
    held_out_target_dir: str = setting(
        "",
        "Folder of recordings of speaker B to evaluate on. A file named as one of A's holds A's "
        "sentence.",
        is_path=True,
    )
    examples: int = setting(3, "Recordings per direction to show on the page.", minimum=0)
    output: str = setting(
        "",
        "Folder of the report; by default RUN/evaluation/step-STEP, and with folders of held-out "
        "recordings evaluation/RUN/step-STEP in the working folder.",
        is_path=True,
    )
    json: str = setting("", "File to write the means to as well.", is_path=True)


@dataclass(frozen=True)
class PublicCorpusConfig:
    """A public corpus that features are prepared of."""

    corpus: str = setting(
        "",
        "Download a public corpus, vcc2016, vcc2018 or arctic, and prepare two of its speakers.",
    )
    speakers: tuple[str, ...] = setting(
        (), "Source and target in --corpus, such as SF1,TF2; by default a usual pair."
    )
    corpus_dir: str = setting(
        "", "Folder of --corpus; by default in the user's data folder.", is_path=True
    )
    corpus_url: str = setting(
        "", "What the addresses of --corpus's archives begin with: a mirror, http://HOST/FOLDER."
    )
