"""Command line of the package: `python -m cyclegan_vc_tf COMMAND --flags…`."""

import sys
from importlib import import_module
from importlib.util import find_spec

from cyclegan_vc_tf import __version__

COMMANDS = {
    "prepare": "compute the features of two folders of recordings",
    "train": "train, or resume a training; same as train.py",
    "convert": "convert recordings; same as convert.py",
    "live": "convert a microphone's sound, or a pipe, as it comes in",
    "evaluate": "measure a run on held-out recordings, and write a report",
    "compare": "make a page that plays several runs side by side",
    "inspect": "show what a run folder holds, and what is wrong with it",
    "publish": "make a small copy of a run to pass on",
    "import": "make a run folder from a public checkpoint",
    "export": "write a run for PyTorch, ONNX Runtime, TensorFlow Lite or Keras",
    "web": "open a web page to convert, train and look after runs",
    "train_vocoder": "train a vocoder from recordings, or resume a training",
    "import_vocoder": "make a vocoder from a public MelGAN generator",
}

LITE_COMMANDS = ("convert",)
"""Commands of the distribution cyclegan-vc-lite."""

MODULES = {"import": "import_run", "inspect": "inspect_run"}
"""Modules of commands whose names are a keyword or a module of Python."""


def main() -> None:
    """Pass the command line to the module of the command."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    is_lite = find_spec("cyclegan_vc_tf.models") is None
    if is_lite and name in COMMANDS and name not in LITE_COMMANDS:
        print(
            f"cyclegan_vc_tf: {name} needs all of cyclegan-vc-tf, and cyclegan-vc-lite is "
            "installed; install cyclegan-vc-tf in its place",
            file=sys.stderr,
        )
        sys.exit(2)
    if name in COMMANDS:
        del sys.argv[1]
        sys.argv[0] = f"cyclegan_vc_tf {name}"
        import_module(f"cyclegan_vc_tf.cli.{MODULES.get(name, name)}").main()
    elif name == "--version":
        print(f"cyclegan-vc-tf {__version__}")
    elif name in ("-h", "--help", "--helpfull"):
        print("usage: python -m cyclegan_vc_tf COMMAND --flags…")
        print("       python -m cyclegan_vc_tf COMMAND --help")
        print("       python -m cyclegan_vc_tf --version")
        for command, text in COMMANDS.items():
            if command in LITE_COMMANDS or not is_lite:
                print(f"  {command:14} {text}")
    else:
        known = ", ".join(COMMANDS)
        print(
            f"cyclegan_vc_tf: {name!r} is not a command; expected one of {known}", file=sys.stderr
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
