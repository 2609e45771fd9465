"""Tab Live: microphone in, converted speech out, in the browser.

`live_page.js` does the work of the buttons and shows state and measurements.
"""

from typing import Any

import gradio as gr

from cyclegan_vc_tf.serving.web import live_markup, live_socket, run_list, vocoder_choices
from cyclegan_vc_tf.serving.web.convert_tab import pitch_controls
from cyclegan_vc_tf.serving.web.services import Services, show_errors

START_SCRIPT = "(...choices) => { window.liveConversion.start(choices); }"
STOP_SCRIPT = "() => { window.liveConversion.stop(); }"

MIN_BUFFER_MS, DEFAULT_BUFFER_MS, MAX_BUFFER_MS = 20, 60, 500


class LiveTab:
    """Widgets of the tab and their handlers.

    Args:
        services: Objects behind the page.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                self._build_choices()
            with gr.Column(scale=3, min_width=300):
                gr.HTML(live_markup.panel(), elem_id="live-panel")
        self._connect()

    def _build_choices(self) -> None:
        self.run = gr.Dropdown(
            label="Voice", info="A run by its name, or a pretrained voice", elem_id="live-run"
        )
        self.refusal = gr.HTML(elem_id="live-refusal", visible=False)
        self.direction = gr.Radio(label="Direction", choices=[], elem_id="live-direction")
        self.vocoder = gr.Dropdown(label="Vocoder", choices=[], elem_id="live-vocoder")
        self.pitch, self.f0, self.semitones = pitch_controls("live")
        self.adapt = gr.Checkbox(
            label="Adapt to my voice",
            info="For somebody else than the voice was trained with: after "
            f"{live_socket.ADAPT_AFTER_S:g} seconds of speech",
            elem_id="live-adapt",
        )
        with gr.Accordion("More", open=False):
            self.buffer = gr.Slider(
                label="Buffer, ms",
                info="Speech that waits to be played. More of it bridges longer pauses of a busy "
                "machine, and adds delay.",
                minimum=MIN_BUFFER_MS, maximum=MAX_BUFFER_MS, step=10, value=DEFAULT_BUFFER_MS,
                elem_id="live-buffer",
            )  # fmt: skip
            self.echo = gr.Checkbox(
                label="Remove echo",
                info="Without headphones. The browser then changes the voice before it is "
                "converted.",
                elem_id="live-echo",
            )
        # The microphone is opened at the model's rate.
        self.rate = gr.Number(visible=False)
        with gr.Row():
            self.start = gr.Button("Start", variant="primary", elem_id="live-start")
            self.stop = gr.Button("Stop", elem_id="live-stop")

    def _connect(self) -> None:
        private: dict[str, Any] = {"api_visibility": "private"}
        shown = [
            self.direction, self.vocoder, self.pitch, self.f0, self.semitones, self.refusal,
            self.rate,
        ]  # fmt: skip
        self.run.change(
            self.show_run,
            self.run,
            shown,
            show_progress="hidden",
            **private,
        )
        choices = [
            self.run, self.direction, self.vocoder, self.f0, self.semitones, self.adapt, self.rate,
            self.buffer, self.echo,
        ]  # fmt: skip
        self.start.click(None, choices, None, js=START_SCRIPT, **private)
        self.stop.click(None, None, None, js=STOP_SCRIPT, **private)

    @show_errors
    def show_run(self, name: str | None) -> tuple[Any, ...]:
        """Return directions, vocoders and pitch controls of a run, a refusal, and its rate."""
        runs = self.services.runs
        config = run_list.read_config(runs.find(name))
        choices, chosen = vocoder_choices.live_vocoder_choices(config, runs.runs_dir)
        reason = vocoder_choices.live_refusal(str(name), choices)
        return (
            gr.update(choices=run_list.direction_labels(config), value="A2B"),
            gr.update(choices=choices, value=chosen or None, visible=bool(choices)),
            gr.update(visible=config.features.spectra == "mel_cepstra"),
            "convert",
            0,
            gr.update(value=live_markup.refusal(reason), visible=bool(reason)),
            config.features.sample_rate_hz,
        )
