"""Imports without garbage collection, without messages, and without packages of no use."""

import gc
import os
import subprocess
import sys
import weakref

import pytest
from conftest import REPOSITORY

from cyclegan_vc_tf.system import startup


def run_code(code: str, **variables: str) -> subprocess.CompletedProcess:
    """Run code in a process of its own, with more variables in its environment."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, **variables},
    )  # fmt: skip


def test_garbage_is_collected_again_after_the_import() -> None:
    gc.unfreeze()
    try:
        before = gc.get_freeze_count()
        with pytest.raises(ImportError), startup.fast_import():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled()
        assert gc.get_freeze_count() > before + 1000
    finally:
        gc.unfreeze()


def test_garbage_of_a_later_call_is_not_kept() -> None:
    class Ring:
        pass

    gc.unfreeze()
    try:
        with startup.fast_import():
            pass
        ring = Ring()
        ring.own = ring  # type: ignore[attr-defined]
        gone = weakref.ref(ring)
        del ring
        with startup.fast_import():
            pass
        gc.collect()
        assert gone() is None
    finally:
        gc.unfreeze()


def test_disabled_collection_stays_disabled() -> None:
    gc.disable()
    try:
        with startup.fast_import():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def test_threads_that_import_at_once_leave_the_process_as_it_was() -> None:
    code = (
        "import gc, os, sys, threading\n"
        "from cyclegan_vc_tf.system import startup\n"
        "def enter():\n"
        "    with startup.fast_import():\n"
        "        pass\n"
        "threads = [threading.Thread(target=enter) for _ in range(4)]\n"
        "[thread.start() for thread in threads], [thread.join() for thread in threads]\n"
        "os.write(2, b'heard'), print(gc.isenabled(), None in sys.modules.values())\n"
    )
    done = run_code(code)
    assert done.stderr.endswith("heard"), done.stderr
    assert done.stdout.split() == ["True", "False"]


def test_tensorflow_is_imported_in_silence_and_alone() -> None:
    """TensorFlow 2.21 writes to the error stream; Keras 3 imports scikit-learn and matplotlib."""
    code = (
        "import sys\n"
        "from cyclegan_vc_tf.system import startup\n"
        "with startup.fast_import():\n"
        "    import tensorflow\n"
        "print({'sklearn', 'matplotlib'} & set(sys.modules))\n"
        "import matplotlib\n"
        "print('still there', file=sys.stderr)\n"
    )
    done = run_code(code, TF_CPP_MIN_LOG_LEVEL="3")
    assert (done.stdout, done.stderr, done.returncode) == ("set()\n", "still there\n", 0)


def test_a_command_imports_no_package_that_it_does_not_need() -> None:
    """Keras and TensorBoard import these where they are installed; a script finds them later."""
    code = (
        "import sys\n"
        "from cyclegan_vc_tf.system import startup\n"
        "startup.hide_optional_packages()\n"
        "with startup.fast_import():\n"
        "    import tensorflow\n"
        "print({'scipy', 'pandas', 'boto3', 'IPython'} & set(sys.modules))\n"
        "import scipy.signal, pandas\n"
    )
    done = run_code(code)
    assert (done.stdout, done.stderr, done.returncode) == ("set()\n", "", 0)
    plain = run_code(code.replace("startup.hide_optional_packages()\n", ""))
    assert "scipy" in plain.stdout
    command = (
        "import atexit, sys\n"
        "from cyclegan_vc_tf.cli import train\n"
        "from cyclegan_vc_tf.system import startup\n"
        "atexit.register(lambda: print(set(startup.OPTIONAL_PACKAGES) <= startup._hidden))\n"
        "sys.argv = ['train.py', '--help']\n"
        "train.main()\n"
    )
    assert run_code(command).stdout.endswith("\nTrue\n")


def test_messages_of_a_failed_import_are_shown(capfd: pytest.CaptureFixture) -> None:
    def fail() -> None:
        with startup._keep_messages():
            os.write(2, b"libcudart is missing\n")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "libcudart is missing\n"
    with startup._keep_messages():
        os.write(2, b"no accelerator\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_a_process_without_an_error_stream_imports_too() -> None:
    code = (
        "import os; os.close(2)\n"
        "from cyclegan_vc_tf.system import startup\n"
        "with startup._keep_messages():\n"
        "    print('imported')\n"
    )
    done = run_code(code)
    assert (done.stdout, done.returncode) == ("imported\n", 0)


def test_a_package_is_hidden_from_one_thread_alone() -> None:
    code = (
        "import importlib, sys, threading\n"
        "from cyclegan_vc_tf.system import startup\n"
        "with startup._hide_packages('tabnanny'):\n"
        "    try:\n"
        "        import tabnanny\n"
        "    except ImportError:\n"
        "        print('hidden')\n"
        "    other = threading.Thread(target=importlib.import_module, args=('tabnanny',))\n"
        "    other.start(), other.join()\n"
        "    print('tabnanny' in sys.modules)\n"
    )
    done = run_code(code)
    assert (done.stdout, done.stderr) == ("hidden\nTrue\n", "")
