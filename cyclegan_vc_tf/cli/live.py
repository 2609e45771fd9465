"""Convert speech as it comes in: microphone to loudspeaker, a recording, or a pipe.

python -m cyclegan_vc_tf live --run_dir=runs/anna-ben --direction=A2B
python -m cyclegan_vc_tf live --run_dir=pretrained:vc1-demo --input=anna.wav --output=live.wav
python -m cyclegan_vc_tf live --run_dir=pretrained:vc1-demo --input=- --output=- < in.raw > out.raw

Devices need the extra `live`; --list_devices names them. Ctrl-C stops. A written file has as many
samples as its input, without the delay.
"""

import sys

from absl import flags

from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import overrides, settings
from cyclegan_vc_tf.config.live import PIPE, LiveConfig, StreamConfig
from cyclegan_vc_tf.config.run import VocoderConfig


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(LiveConfig, values)
    settings.define_flags(StreamConfig, values)
    settings.define_flags(VocoderConfig, values)


def live(values: flags.FlagValues) -> int:
    """Convert until the input ends or the user stops it."""
    config = settings.from_flags(LiveConfig, values, LiveConfig())
    windows = settings.from_flags(StreamConfig, values, StreamConfig())
    if config.list_devices:
        from cyclegan_vc_tf.serving import devices

        print("\n".join(devices.list_devices()))
        return command.DONE
    from cyclegan_vc_tf.serving import live as live_module

    # Standard output may be the converted speech.
    file = sys.stderr if config.output == PIPE else sys.stdout
    live_module.run(
        config,
        windows,
        lambda line: print(line, file=file, flush=True),
        overrides.given_settings(VocoderConfig, values),
    )
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, live)
