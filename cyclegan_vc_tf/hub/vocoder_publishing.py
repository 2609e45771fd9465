"""Publication of a vocoder: a small folder with its weights in half precision.

FOLDER/vocoder.json, vocoder.npz   the vocoder; see `vocoders.neural`
FOLDER/card.md                     model card: voices, licence, features, sizes
"""

from pathlib import Path

from cyclegan_vc_tf.system import files, packaged_models
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import neural
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder
from cyclegan_vc_tf.vocoders.vocoder_folders import WEIGHTS


def publish_vocoder(run_dir: Path, output: Path, about: str) -> tuple[int, Path]:
    """Publish the vocoder of a run, as of its last checkpoint.

    Args:
        run_dir: Run folder of `train_vocoder`.
        output: Folder to create; it may exist if it is empty.
        about: Markdown text that the model card begins with: voices, origin of the recordings,
            licence.

    Returns:
        Step of the weights, and their file.

    Raises:
        InputError: The output folder is not empty, or the vocoder is damaged.
    """
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise InputError(f"--output {output} is not empty; expected a new or empty folder")
    vocoder = neural.load(run_dir)
    with files.building(output) as partial:
        neural.save(partial, vocoder, half=True)
        files.write_text(partial / packaged_models.CARD, vocoder_card(vocoder, about, output.name))
    return vocoder.step, output / WEIGHTS


def vocoder_card(vocoder: NeuralVocoder, about: str, folder_name: str) -> str:
    """Return the model card in Markdown.

    Args:
        vocoder: The vocoder.
        about: Markdown text that the card begins with.
        folder_name: Name of the published folder, for the command that measures it.
    """
    counts = {name: model.count_params() for name, model in vocoder.networks.items()}
    rows = {
        "step": f"{vocoder.step:,}",
        "weights": ", ".join(f"{name} {count:,}" for name, count in counts.items()),
        **{name: f"`{value}`" for name, value in vocoder.features.used.items()},
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return (
        f"{about.strip()}\n\n| setting | value |\n|---|---|\n{table}\n\n"
        f"`python -m benchmarks.vocoders --vocoder={folder_name}` measures it.\n"
    )
