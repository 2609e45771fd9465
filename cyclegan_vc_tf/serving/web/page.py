"""Page: its tabs, and what happens when it is opened and closed."""

import gradio as gr

from cyclegan_vc_tf.serving.web import markup
from cyclegan_vc_tf.serving.web.convert_tab import ConvertTab
from cyclegan_vc_tf.serving.web.live_tab import LiveTab
from cyclegan_vc_tf.serving.web.runs_tab import RunsTab
from cyclegan_vc_tf.serving.web.services import Services
from cyclegan_vc_tf.serving.web.train_tab import TrainTab

CACHE_CHECK_S, CACHE_AGE_S = 300, 3600
"""Time between two looks for old uploads, and the age at which they are removed, in seconds."""


def build_page(services: Services) -> gr.Blocks:
    """Return the page.

    Args:
        services: Objects behind the page.
    """
    with gr.Blocks(
        title=markup.PAGE_TITLE,
        analytics_enabled=False,
        delete_cache=(CACHE_CHECK_S, CACHE_AGE_S),
    ) as page:
        gr.HTML(markup.header())
        with gr.Tabs():
            with gr.Tab("Convert", id="convert") as convert_page:
                convert = ConvertTab(services)
            with gr.Tab("Live", id="live") as live_page:
                live = LiveTab(services)
            with gr.Tab("Train", id="train") as train_page:
                train = TrainTab(services)
            with gr.Tab("Runs", id="runs") as runs_page:
                runs = RunsTab(services)
        gr.HTML(markup.consent())
        for opened in (page.load, convert_page.select):
            opened(services.update_voices, convert.run, convert.run, show_progress="hidden",
                   api_visibility="private")  # fmt: skip
        for opened in (page.load, live_page.select):
            opened(services.update_voices, live.run, live.run, show_progress="hidden",
                   api_visibility="private")  # fmt: skip
        for opened in (page.load, train_page.select):
            opened(train.refresh, train.training, train.training, show_progress="hidden",
                   api_visibility="private")  # fmt: skip
        runs_page.select(
            runs.refresh, runs.run, runs.run, show_progress="hidden", api_visibility="private"
        )

        def end_session(request: gr.Request) -> None:
            services.workspace.end_session(str(request.session_hash))

        page.unload(end_session)
    return page
