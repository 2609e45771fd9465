"""`python -m cyclegan_vc_tf VERB --flags…`."""

import sys
from importlib import import_module

VERBS = {
    "prepare": "make the features of two folders of recordings",
    "train": "train, or resume a training; what train.py does",
    "convert": "convert recordings; what convert.py does",
    "evaluate": "say how good a run is, in numbers and on a page",
    "inspect": "say what a run folder holds, and what is wrong with it",
    "publish": "make a run small enough to pass on",
    "import": "make a run folder of a public project's checkpoint",
    "export": "write a run's networks as PyTorch's",
    "import_vocoder": "make a vocoder of a public MelGAN generator",
}

ROOMS = {"import": "import_run", "inspect": "inspect_run"}
"""Modules of verbs that no module can be named as, or that Python has one of."""


def main() -> None:
    """Hands the command line to the verb's own module."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in VERBS:
        del sys.argv[1]
        sys.argv[0] = f"cyclegan_vc_tf {verb}"
        import_module(f"cyclegan_vc_tf.cli.{ROOMS.get(verb, verb)}").main()
    elif verb in ("-h", "--help", "--helpfull"):
        print("usage: python -m cyclegan_vc_tf VERB --help")
        for name, text in VERBS.items():
            print(f"  {name:14} {text}")
    else:
        known = ", ".join(VERBS)
        print(f"cyclegan_vc_tf: {verb!r} is no verb; expected one of {known}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
