"""Imports without garbage collection."""

import gc
import subprocess
import sys

import pytest
from conftest import REPOSITORY

from cyclegan_vc_tf.system import startup


def test_garbage_is_collected_again_after_the_import() -> None:
    try:
        before = gc.get_freeze_count()
        with pytest.raises(ImportError), startup.fast_import():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled()
        assert gc.get_freeze_count() > before + 1000
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
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.stderr.endswith("heard"), done.stderr
    assert done.stdout.split() == ["True", "False"]
