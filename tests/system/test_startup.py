"""Imports without garbage collection."""

import gc

import pytest

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
