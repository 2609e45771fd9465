"""What imports without garbage collection keeps, and gives back."""

import gc

import pytest

from cyclegan_vc_tf.system import startup


def test_garbage_is_left_alone_while_importing_alone() -> None:
    try:
        before = gc.get_freeze_count()
        with pytest.raises(ImportError), startup.fast_import():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled()
        assert gc.get_freeze_count() > before + 1000
    finally:
        gc.unfreeze()


def test_collection_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with startup.fast_import():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
