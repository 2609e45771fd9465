"""Tab Convert: recordings in, converted recordings out, side by side."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from cyclegan_vc_tf.serving.web import conversions, markup, run_list, uploads, vocoder_choices
from cyclegan_vc_tf.serving.web.conversions import Options, Outcome
from cyclegan_vc_tf.serving.web.services import Services, page_error, show_errors
from cyclegan_vc_tf.system.errors import InputError, TrainingError

F0_CHOICES = [("Map to the target speaker's range", "convert"), ("Keep", "keep")]


def pitch_controls(tab: str) -> tuple[gr.Group, gr.Radio, gr.Slider]:
    """Build the controls of F0; return their group, the map of F0, and the shift in semitones.

    Args:
        tab: Name of the tab, which begins the controls' element ids.
    """
    with gr.Group() as group:
        f0 = gr.Radio(label="F0 (pitch)", choices=F0_CHOICES, value="convert", elem_id=f"{tab}-f0")
        semitones = gr.Slider(
            label="Semitones", info="Added after that", minimum=-12, maximum=12, step=0.5, value=0,
            elem_id=f"{tab}-semitones",
        )  # fmt: skip
    return group, f0, semitones


class ConvertTab:
    """Widgets of the tab and their handlers.

    Args:
        services: Objects behind the page.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.outcomes = gr.State([])
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                self._build_inputs()
            with gr.Column(scale=3, min_width=300):
                self._build_results()
        self._connect()

    def _build_inputs(self) -> None:
        self.files = gr.File(
            label="Recordings", file_count="multiple", height=150, elem_id="convert-files"
        )
        self.microphone = gr.Audio(
            label="Microphone", sources=["microphone"], type="filepath", format=None,
            editable=False, buttons=[], elem_id="convert-microphone",
        )  # fmt: skip
        self.run = gr.Dropdown(
            label="Voice", info="A run by its name, or a pretrained voice", elem_id="convert-run"
        )
        self.direction = gr.Radio(label="Direction", choices=[], elem_id="convert-direction")
        self.vocoder = gr.Dropdown(label="Vocoder", choices=[], elem_id="convert-vocoder")
        self.pitch, self.f0, self.semitones = pitch_controls("convert")
        self.adapt = gr.Checkbox(
            label="Adapt to another voice", info="For recordings of somebody else than the voice "
            "was trained with", elem_id="convert-adapt",
        )  # fmt: skip
        with gr.Accordion("More", open=False):
            self.step = gr.Textbox(
                label="Checkpoint", info="last, best, or a step", value="last",
                elem_id="convert-step",
            )  # fmt: skip
            self.keep_rate = gr.Checkbox(
                label="Keep the recording's sample rate", elem_id="convert-keep-rate"
            )
        with gr.Row():
            self.convert = gr.Button("Convert", variant="primary", elem_id="convert-start")
            self.cancel = gr.Button("Stop", elem_id="convert-stop")

    def _build_results(self) -> None:
        self.table = gr.HTML(
            markup.status("Upload or record speech, choose a voice, and convert."),
            elem_id="convert-table",
        )
        with gr.Column(visible=False) as self.results:
            self.chosen = gr.Dropdown(label="Result", choices=[], elem_id="convert-chosen")
            with gr.Row():
                self.source = gr.Audio(
                    label="Source", interactive=False, type="filepath", min_width=240,
                    elem_id="convert-source", buttons=["download"],
                )  # fmt: skip
                self.converted = gr.Audio(
                    label="Converted", interactive=False, type="filepath", min_width=240,
                    elem_id="convert-converted", buttons=["download"],
                )  # fmt: skip
            self.spectrograms = gr.Image(
                label="Spectrograms", interactive=False, elem_id="convert-spectrograms",
                elem_classes="picture",
                buttons=["fullscreen"], type="filepath",
            )  # fmt: skip
            self.contours = gr.Image(
                label="F0 contours", interactive=False, elem_id="convert-f0-contours",
                elem_classes="picture",
                buttons=["fullscreen"], type="filepath",
            )  # fmt: skip
            with gr.Row():
                self.download = gr.DownloadButton("Download result", elem_id="convert-download")
                self.download_all = gr.DownloadButton(
                    "Download all (zip)", elem_id="convert-download-all"
                )

    def _connect(self) -> None:
        private: dict[str, Any] = {"api_visibility": "private"}
        self.run.change(
            self.show_run,
            self.run,
            [self.direction, self.vocoder, self.pitch, self.f0, self.semitones],
            show_progress="hidden",
            **private,
        )
        shown = [
            self.source, self.converted, self.spectrograms, self.contours, self.download
        ]  # fmt: skip
        started = self.convert.click(
            self.run_conversion,
            [
                self.files, self.microphone, self.run, self.direction, self.vocoder, self.f0,
                self.semitones, self.adapt, self.step, self.keep_rate,
            ],
            [self.table, self.outcomes, self.results, self.chosen, self.download_all],
            show_progress="full",
            show_progress_on=self.table,
            concurrency_id="conversion",
            concurrency_limit=1,
            **private,
        )  # fmt: skip
        started.then(
            self.show_outcome, [self.outcomes, self.chosen], shown, show_progress="hidden",
            **private,
        )  # fmt: skip
        self.chosen.input(
            self.show_outcome, [self.outcomes, self.chosen], shown, show_progress="hidden",
            **private,
        )  # fmt: skip
        self.cancel.click(None, cancels=[started], **private)

    @show_errors
    def show_run(self, name: str | None) -> tuple[Any, ...]:
        """Return directions, vocoders and pitch controls of a run."""
        config = run_list.read_config(self.services.runs.find(name))
        labels = run_list.direction_labels(config)
        choices, own = vocoder_choices.vocoder_choices(config, self.services.runs.runs_dir)
        has_f0 = config.features.spectra == "mel_cepstra"
        return (
            gr.update(choices=labels, value="A2B"),
            gr.update(choices=choices, value=own),
            gr.update(visible=has_f0),
            "convert",
            0,
        )

    def run_conversion(
        self,
        files: list[str] | None,
        recorded: str | None,
        name: str | None,
        direction: str,
        vocoder: str,
        f0: str,
        semitones: float,
        adapt: bool,
        step: str,
        keep_rate: bool,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        """Convert all recordings, and show each as soon as it is ready."""
        config, outcomes = self.services.config, list[Outcome]()
        try:
            paths = [*(files or []), *([recorded] if recorded else [])]
            if not paths:
                raise InputError("nothing to convert; upload recordings, or record one")
            folder = self.services.workspace.fresh_folder(str(request.session_hash), "conversion")
            taken = uploads.take(paths, folder / "sources", config)
            run = self.services.runs.find(name)
            progress((0, len(taken)), desc="Loading the voice", unit="recordings")
            settings = vocoder_choices.vocoder_settings(
                vocoder, run_list.read_config(run), self.services.runs.runs_dir
            )
            voices = self.services.voices.load(run, (step or "last").strip(), **settings)
            options = Options(direction, f0, float(semitones or 0), adapt, keep_rate)
            (folder / "converted").mkdir()
            converted = conversions.convert_uploads(
                voices, taken, folder / "converted", options, config.max_job_seconds
            )
            for outcome in converted:
                outcomes.append(outcome)
                progress((len(outcomes), len(taken)), desc=outcome.name, unit="recordings")
                yield markup.outcome_table(outcomes), outcomes, gr.skip(), gr.skip(), gr.skip()
        except (InputError, TrainingError, OSError) as error:
            raise page_error(error) from None
        archive = conversions.write_zip(outcomes, folder / "converted.zip")
        names = [outcome.name for outcome in outcomes if outcome.converted]
        yield (
            markup.outcome_table(outcomes),
            outcomes,
            gr.update(visible=bool(names)),
            gr.update(choices=names, value=names[0] if names else None),
            gr.update(value=archive and str(archive), interactive=bool(names)),
        )

    @show_errors
    def show_outcome(self, outcomes: list[Outcome], name: str | None) -> tuple[Any, ...]:
        """Return sounds, pictures and file of one result."""
        found = [each for each in outcomes if each.name == name and each.converted]
        if not found:
            return (None,) * 5
        drawn = conversions.draw(found[0]) or (None, None)
        paths = (found[0].source, found[0].converted, *drawn, found[0].converted)
        return tuple(path and str(path) for path in paths)
