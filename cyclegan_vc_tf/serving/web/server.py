"""Server of the page: address, limits, headers, and its end."""

import importlib
import os
import socket
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

from cyclegan_vc_tf.config.web import WebConfig
from cyclegan_vc_tf.serving.web.workspace import Workspace
from cyclegan_vc_tf.system.errors import InputError

LOCAL_NAMES = ["127.0.0.1", "localhost", "[::1]", "::1"]

CONTENT_POLICY = "; ".join(
    (
        "default-src 'self' blob: data:",
        # Gradio writes styles and small scripts into its page, and compiles with WebAssembly.
        "style-src 'self' 'unsafe-inline'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "connect-src 'self' blob: data:",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'self'",
    )
)
"""Browsers refuse the page every request to another host."""


def serve(
    config: WebConfig, say: Callable[[str], None] = print, stop: threading.Event | None = None
) -> None:
    """Serve the page until a signal stops the process, or an event is set.

    Temporary files are removed at the end. Trainings go on.

    Args:
        config: Settings of the page.
        say: Prints a line.
        stop: Event that ends the server.

    Raises:
        InputError: The settings contradict each other, the port is taken, or Gradio is not
            installed.
    """
    config.validate()
    port = _free_port(config)
    workspace = Workspace()
    try:
        _serve(config, port, workspace, say, stop or threading.Event())
    finally:
        workspace.close()


def _serve(
    config: WebConfig,
    port: int,
    workspace: Workspace,
    say: Callable[[str], None],
    stop: threading.Event,
) -> None:
    os.environ["GRADIO_TEMP_DIR"] = str(workspace.cache)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        with warnings.catch_warnings():
            # pydub looks for ffmpeg, which the page does not need.
            warnings.filterwarnings("ignore", "(?s).*ffmpeg", RuntimeWarning)
            import gradio as gr
        # uvicorn loads it for the tab Live, and refuses its connections without it.
        importlib.import_module("websockets")
    except ImportError as error:
        raise InputError(
            "packages of the page are not installed "
            f'({error}); install the extra: pip install -e ".[web]"'
        ) from error
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from cyclegan_vc_tf.serving.web import live_socket, markup, theme
    from cyclegan_vc_tf.serving.web.headers import ContentPolicy
    from cyclegan_vc_tf.serving.web.page import build_page
    from cyclegan_vc_tf.serving.web.services import Services

    middleware = [Middleware(ContentPolicy, policy=CONTENT_POLICY)]
    if config.is_loopback:
        # A page of another host, under a name that leads to this machine, is refused.
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_NAMES))
    services = Services(config, workspace)
    page = build_page(services)
    page.queue(max_size=config.max_queue, default_concurrency_limit=4, api_open=False)
    _, address, _ = page.launch(
        server_name=config.host,
        server_port=port,
        auth=config.user_and_password,
        share=False,
        inbrowser=False,
        prevent_thread_lock=True,
        quiet=True,
        show_error=False,
        max_file_size=config.max_upload_mb * 10**6,
        app_kwargs={
            "middleware": middleware,
            "routes": live_socket.routes(services),
            "docs_url": None,
            "redoc_url": None,
        },
        favicon_path=markup.ICON,
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        enable_monitoring=False,
        run_history=False,
        theme=theme.make_theme(),
        head=live_socket.HEAD,
        js=theme.SCRIPT.read_text(encoding="utf-8"),
        css_paths=[theme.STYLE_SHEET],
        blocked_paths=[str(Path(config.runs_dir))],
    )
    try:
        say(f"Page: {address}")
        say("Ctrl-C ends the page; trainings go on.")
        while not stop.wait(1.0):
            pass
    finally:
        services.live.close()
        gr.close_all(verbose=False)


def _free_port(config: WebConfig) -> int:
    """Return the port of the settings if it is free, or any free one for 0.

    Raises:
        InputError: The port is taken, or the address is not one of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((config.host, config.port))
            return int(tried.getsockname()[1])
    except OSError as error:
        raise InputError(
            f"--host {config.host} and --port {config.port} cannot be used ({error.strerror}); "
            "give another --port, or 0 for a free one"
        ) from error
