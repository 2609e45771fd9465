"""The end of `cyclegan_vc_tf web` while threads of TensorBoard read event files."""

from conftest import run_command

SCRIPT = """
import atexit, sys, threading
import tensorflow as tf
from cyclegan_vc_tf.cli import web
from cyclegan_vc_tf.serving.web import server

def read():
    while True:
        tf.io.gfile.exists("/")

def serve(config):
    atexit.register(print, "cleaned up")
    for _ in range(4):
        threading.Thread(target=read, daemon=True).start()
    print("served")

server.serve = serve
sys.argv = ["web"]
web.main()
"""


def test_threads_inside_tensorflow_do_not_abort_the_end() -> None:
    """Python's finalization would end the threads; C++ would then end the process by SIGABRT."""
    done = run_command("-c", SCRIPT)
    assert (done.returncode, done.stdout) == (0, "served\ncleaned up\n"), done.stderr
