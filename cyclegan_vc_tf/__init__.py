"""TensorFlow/Keras reference port of the CycleGAN-VC family of voice converters.

`import cyclegan_vc_tf` loads neither TensorFlow nor NumPy. Each public name is imported when it is
first used.

Example:
    >>> import cyclegan_vc_tf as vc
    >>> voices = vc.load("pretrained:vc1-demo")
    >>> recording = vc.demo_corpus_dir() / "held_out" / "heart" / "089.flac"
    >>> peak = voices.convert_file(recording, "converted.wav", direction="A2B")
"""

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclegan_vc_tf.api import inspect, load, prepare, preset, train
    from cyclegan_vc_tf.audio.audio_files import AudioError
    from cyclegan_vc_tf.config.corpus import CorpusConfig
    from cyclegan_vc_tf.config.directions import Direction
    from cyclegan_vc_tf.config.features import FeatureConfig
    from cyclegan_vc_tf.config.live import StreamConfig
    from cyclegan_vc_tf.config.network import NetworkConfig
    from cyclegan_vc_tf.config.preset_files import demo_corpus_dir, preset_names
    from cyclegan_vc_tf.config.run import MetricsConfig, RunConfig, VocoderConfig
    from cyclegan_vc_tf.config.training import AugmentationConfig, TrainingConfig
    from cyclegan_vc_tf.conversion.batch import BatchResult
    from cyclegan_vc_tf.conversion.voice_converter import VoiceConverter
    from cyclegan_vc_tf.data.speakers import Speaker
    from cyclegan_vc_tf.evaluation.comparison_page import Comparison
    from cyclegan_vc_tf.evaluation.evaluator import Evaluation
    from cyclegan_vc_tf.evaluations import compare, evaluate
    from cyclegan_vc_tf.exchange import (
        import_checkpoint,
        import_vocoder,
        publish,
    )
    from cyclegan_vc_tf.exports import (
        export_model,
        export_networks,
        export_page,
        export_vocoder,
    )
    from cyclegan_vc_tf.inspection.inspector import Inspection
    from cyclegan_vc_tf.models.registry import FAMILY, VARIANTS, Variant
    from cyclegan_vc_tf.streaming.stream import Stream
    from cyclegan_vc_tf.system.errors import InputError, StopTraining, TrainingError
    from cyclegan_vc_tf.training.callbacks import Callback, StepReport
    from cyclegan_vc_tf.training.result import TrainingResult

__version__ = "0.1.0"

_MODULES = {
    "AudioError": "audio.audio_files",
    "AugmentationConfig": "config.training",
    "BatchResult": "conversion.batch",
    "Callback": "training.callbacks",
    "Comparison": "evaluation.comparison_page",
    "CorpusConfig": "config.corpus",
    "Direction": "config.directions",
    "Evaluation": "evaluation.evaluator",
    "FAMILY": "models.registry",
    "FeatureConfig": "config.features",
    "InputError": "system.errors",
    "Inspection": "inspection.inspector",
    "MetricsConfig": "config.run",
    "NetworkConfig": "config.network",
    "RunConfig": "config.run",
    "Speaker": "data.speakers",
    "StepReport": "training.callbacks",
    "StopTraining": "system.errors",
    "Stream": "streaming.stream",
    "StreamConfig": "config.live",
    "TrainingConfig": "config.training",
    "TrainingError": "system.errors",
    "TrainingResult": "training.result",
    "VARIANTS": "models.registry",
    "Variant": "models.registry",
    "VocoderConfig": "config.run",
    "VoiceConverter": "conversion.voice_converter",
    "compare": "evaluations",
    "demo_corpus_dir": "config.preset_files",
    "evaluate": "evaluations",
    "export_model": "exports",
    "export_networks": "exports",
    "export_page": "exports",
    "export_vocoder": "exports",
    "import_checkpoint": "exchange",
    "import_vocoder": "exchange",
    "inspect": "api",
    "load": "api",
    "prepare": "api",
    "preset": "api",
    "preset_names": "config.preset_files",
    "publish": "exchange",
    "train": "api",
}
"""Module of every public name, below this package."""

__all__ = [
    "FAMILY",
    "VARIANTS",
    "AudioError",
    "AugmentationConfig",
    "BatchResult",
    "Callback",
    "Comparison",
    "CorpusConfig",
    "Direction",
    "Evaluation",
    "FeatureConfig",
    "InputError",
    "Inspection",
    "MetricsConfig",
    "NetworkConfig",
    "RunConfig",
    "Speaker",
    "StepReport",
    "StopTraining",
    "Stream",
    "StreamConfig",
    "TrainingConfig",
    "TrainingError",
    "TrainingResult",
    "Variant",
    "VocoderConfig",
    "VoiceConverter",
    "__version__",
    "compare",
    "demo_corpus_dir",
    "evaluate",
    "export_model",
    "export_networks",
    "export_page",
    "export_vocoder",
    "import_checkpoint",
    "import_vocoder",
    "inspect",
    "load",
    "prepare",
    "preset",
    "preset_names",
    "publish",
    "train",
]


# A type checker that saw this function would accept any name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name on its first use."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        if isinstance(value, FunctionType):
            from cyclegan_vc_tf.system.argument_errors import naming_arguments

            value = naming_arguments(value)
            # Under this name, other processes find the function.
            value.__module__ = __name__
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
