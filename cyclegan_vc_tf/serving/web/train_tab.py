"""Tab Train: begin a training, watch it, stop it, go on."""

from pathlib import Path
from typing import Any

import gradio as gr

from cyclegan_vc_tf import api
from cyclegan_vc_tf.config import overrides, preset_files
from cyclegan_vc_tf.config.directions import SPEAKERS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.serving.web import (
    markup,
    pictures,
    recordings,
    reports,
    run_list,
    training_flags,
    training_view,
)
from cyclegan_vc_tf.serving.web.services import Services, show_errors
from cyclegan_vc_tf.serving.web.training_view import TrainingView
from cyclegan_vc_tf.system.errors import InputError

PRESET_LABELS = {
    "fast": "fast: own recordings, minutes",
    "demo": "demo: demo corpus, minutes",
    "demo_vc2": "demo_vc2: demo corpus, vc2",
    "demo_vc3": "demo_vc3: demo corpus, vc3",
    "demo_mask": "demo_mask: demo corpus, mask",
    "vc1": "vc1: CycleGAN-VC as in the paper",
    "vc2": "vc2: CycleGAN-VC2 as in the paper",
    "vc3": "vc3: CycleGAN-VC3 as in the paper",
    "mask": "mask: MaskCycleGAN-VC as in the paper",
}

POLL_S = 3.0
"""Time between two looks at a training, in seconds."""

FOLDERS, UPLOADS = "folders", "uploads"


class TrainTab:
    """Widgets of the tab and their handlers.

    Args:
        services: Objects behind the page.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                self._build_form()
            with gr.Column(scale=3, min_width=300):
                self._build_view()
        self._connect()

    def _build_form(self) -> None:
        self.name = gr.Textbox(
            label="Name of the new run", placeholder="anna-ben", max_lines=1, elem_id="train-name"
        )
        available = preset_files.preset_names()
        self.preset = gr.Dropdown(
            label="Preset",
            choices=[(label, name) for name, label in PRESET_LABELS.items() if name in available],
            value="fast",
            elem_id="train-preset",
        )
        with gr.Group() as self.own_recordings:
            accepts_folders = recordings.accepts_folders(self.services.config)
            self.kind = gr.Radio(
                label="Recordings",
                choices=[("Folders on this machine", FOLDERS), ("Upload", UPLOADS)],
                value=FOLDERS if accepts_folders else UPLOADS,
                visible=accepts_folders,
                elem_id="train-kind",
            )
            with gr.Column(visible=accepts_folders) as self.folders:
                self.source_dir = gr.Textbox(
                    label="Folder of speaker A", max_lines=1, elem_id="train-source-dir"
                )
                self.target_dir = gr.Textbox(
                    label="Folder of speaker B", max_lines=1, elem_id="train-target-dir"
                )
            with gr.Column(visible=not accepts_folders) as self.uploads:
                self.source_files = gr.File(
                    label="Recordings of speaker A", file_count="multiple", height=120,
                    elem_id="train-source-files",
                )  # fmt: skip
                self.target_files = gr.File(
                    label="Recordings of speaker B", file_count="multiple", height=120,
                    elem_id="train-target-files",
                )  # fmt: skip
        self.steps = gr.Textbox(
            label="Steps", info="Empty: as the preset says", max_lines=1, elem_id="train-steps"
        )  # fmt: skip
        with gr.Accordion("More", open=False):
            self.flags = gr.Textbox(
                label="Further flags",
                info="As of train.py, such as --batch_size=4; no paths",
                max_lines=2,
                elem_id="train-flags",
            )
        with gr.Row():
            self.start = gr.Button("Start training", variant="primary", elem_id="train-start")
            self.examine = gr.Button("Examine", elem_id="train-examine")
        self.answer = gr.HTML(elem_id="train-answer")

    def _build_view(self) -> None:
        self.shown = gr.State(("", 0, 0))
        self.training = gr.Dropdown(label="Training", choices=[], elem_id="train-training")
        self.progress = gr.HTML(
            markup.status("No training yet."), elem_id="train-progress", padding=False
        )
        with gr.Row(elem_classes="bottom"):
            self.new_steps = gr.Textbox(
                label="Go on up to step",
                info="Empty: as before",
                max_lines=1,
                min_width=140,
                elem_id="train-new-steps",
            )
            self.go_on = gr.Button("Go on", min_width=110, elem_id="train-go-on")
            self.stop = gr.Button(
                "Stop and save", variant="stop", min_width=110, elem_id="train-stop"
            )
        self.losses = gr.Image(
            label="Losses", interactive=False, visible=False, type="filepath", buttons=[],
            elem_id="train-losses",
            elem_classes="picture",
        )  # fmt: skip
        with gr.Column(visible=False) as self.sample_view:
            self.sample = gr.Dropdown(label="Held-out sample", choices=[], elem_id="train-sample")
            with gr.Row():
                self.source = gr.Audio(
                    label="Source", interactive=False, min_width=220, buttons=["download"],
                    elem_id="train-source",
                )  # fmt: skip
                self.converted = gr.Audio(
                    label="Converted", interactive=False, min_width=220, buttons=["download"],
                    elem_id="train-converted",
                )  # fmt: skip
            self.spectrograms = gr.Image(
                label="Spectrograms: source, converted, converted back", interactive=False,
                type="filepath", buttons=[], elem_id="train-spectrograms",
                elem_classes="picture",
            )  # fmt: skip
        with gr.Accordion("Log", open=False):
            self.log = gr.HTML(elem_id="train-log")
        with gr.Column(visible=False) as self.found:
            gr.Markdown("## Recordings")
            self.summary = gr.HTML(elem_id="train-summary")
            self.found_pictures = [
                gr.Image(
                    label=f"Speaker {speaker}: length, F0, level",
                    interactive=False,
                    type="filepath",
                    buttons=[],
                    elem_classes="picture",
                    elem_id=f"train-found-{speaker}",
                )
                for speaker in SPEAKERS
            ]
        self.timer = gr.Timer(POLL_S)

    def _connect(self) -> None:
        private: dict[str, Any] = {"api_visibility": "private"}
        hidden: dict[str, Any] = {"show_progress": "hidden", **private}
        form = [
            self.preset, self.kind, self.source_dir, self.target_dir, self.source_files,
            self.target_files,
        ]  # fmt: skip
        self.preset.change(
            lambda preset: gr.update(visible=not preset.startswith("demo")),
            self.preset, self.own_recordings, **hidden,
        )  # fmt: skip
        self.kind.change(
            lambda kind: (gr.update(visible=kind == FOLDERS), gr.update(visible=kind == UPLOADS)),
            self.kind, [self.folders, self.uploads], **hidden,
        )  # fmt: skip
        view = [
            self.shown, self.progress, self.losses, self.sample_view, self.sample, self.log,
            self.found,
            self.summary,
            *self.found_pictures,
        ]  # fmt: skip
        look = (self.look, [self.training, self.shown, self.sample], view)
        heard = (
            self.show_sample,
            [self.training, self.sample],
            [self.source, self.converted, self.spectrograms],
        )
        self.start.click(
            self.begin,
            [self.name, self.steps, self.flags, *form],
            [self.answer, self.training],
            **private,
        ).then(*look, **hidden)
        self.examine.click(
            self.prepare,
            form,
            [self.answer, self.found, self.summary, *self.found_pictures],
            concurrency_id="conversion",
            show_progress_on=self.answer,
            **private,
        )
        self.stop.click(self.end, self.training, self.answer, **private).then(*look, **hidden)
        self.go_on.click(self.resume, [self.training, self.new_steps], self.answer, **private).then(
            *look, **hidden
        )
        self.training.change(*look, **hidden)
        self.timer.tick(*look, **hidden)
        self.sample.change(*heard, **hidden)

    def refresh(self, current: str | None) -> Any:
        """Return the list of trainings as it is now; a running one comes first."""
        running = self.services.trainings.running()
        others = set(self.services.runs.names()) | set(self.services.trainings.names())
        names = [*running, *sorted(others - set(running))]
        value = current if current in names else next(iter(names), None)
        return gr.update(choices=names, value=value)

    @show_errors
    def begin(self, name: str, steps: str, flags: str, *form: Any) -> tuple[Any, ...]:
        """Start a training in a process of its own."""
        path = self.services.runs.new_path(name)
        from cyclegan_vc_tf.models import registry

        changes = training_flags.parse_flags(flags)
        if steps.strip():
            changes["steps"] = steps.strip()
        # Wrong settings are refused before recordings are copied and a process starts.
        registry.validate_config(api.preset(form[0], **changes))
        folder = self.services.runs.page_folder(path.name)
        changes |= self._recordings(*form, folder=folder)
        self.services.trainings.start(path.name, form[0], changes)
        text = f"Started {path.name}. It goes on when this page is closed."
        return markup.status(text, "done"), self.refresh(path.name)

    @show_errors
    def prepare(
        self, preset: str, kind: str, source: str, target: str, source_files: list[str] | None,
        target_files: list[str] | None, request: gr.Request,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Examine recordings as a training would, and show what was found."""
        form = (preset, kind, source, target, source_files, target_files)
        folder = self.services.workspace.fresh_folder(str(request.session_hash), "recordings")
        changes = self._recordings(*form, folder=folder)
        if any(str(folder) in value for value in changes.values()):
            changes["features_dir"] = str(folder / "features")
        lines: list[str] = []
        config = api.preset(preset, **changes)
        api.prepare(config, log=lines.append)
        summary = markup.preformatted("\n".join(recordings.shown_lines(lines)), "Recordings")
        text = markup.status("Examined: see Recordings.", "done")
        return text, *self._found(summary, reports.preparation_pictures(config))

    @show_errors
    def end(self, name: str | None) -> str:
        """Ask a training to save and end."""
        self.services.trainings.stop(name or "")
        return markup.status(f"{name} saves and ends after the step at hand.")

    @show_errors
    def resume(self, name: str | None, steps: str) -> str:
        """Resume a training."""
        changes = {"steps": steps.strip()} if steps.strip() else {}
        overrides.override(RunConfig(), changes)
        self.services.trainings.go_on(name or "", changes)
        return markup.status(f"{name} goes on.", "done")

    def look(
        self,
        name: str | None,
        shown: tuple[str, int, int],
        heard: str | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Return the course of a training; what did not change is left as it is."""
        if not name or name not in self.refresh(None)["choices"]:
            nothing = gr.update(visible=False)
            text = markup.status("No training yet.")
            return ("", 0, 0), text, nothing, nothing, gr.skip(), "", *[gr.skip()] * 4
        state = self.services.trainings.state(name)
        run_dir = self.services.runs.runs_dir / name
        view = self.services.events.read(run_dir)
        now = (name, view.step, view.sampled_step)
        losses = sample_view = sample = gr.skip()
        if now[:2] != shown[:2]:
            losses = gr.update(visible=False)
            if view.losses:
                session = str(request.session_hash)
                # A new name: browsers keep pictures by their addresses.
                path = self.services.workspace.fresh_folder(session, "losses") / "losses.png"
                losses = gr.update(value=str(pictures.draw_curves(view.losses, path)), visible=True)
        if now[::2] != shown[::2]:
            sample_view = gr.update(visible=bool(view.samples))
            sample = self._samples(view, heard)
        found: list[Any] = [gr.skip()] * 4
        if name != shown[0] or (view.step and not shown[1]):
            found = self._found("", self._pictures_of(run_dir))
        text = markup.training_progress(state, view)
        log = markup.preformatted("\n".join(state.log), "Log")
        return now, text, losses, sample_view, sample, log, *found

    @show_errors
    def show_sample(
        self, name: str | None, sample: str | None, request: gr.Request
    ) -> tuple[Any, ...]:
        """Return sounds and picture of a held-out sample."""
        if not name or not sample:
            return None, None, None
        view = self.services.events.read(self.services.runs.find(name))
        _, _, sample = sample.partition(" ")
        if sample not in view.samples:
            return None, None, None
        session = str(request.session_hash)
        folder = self.services.workspace.fresh_folder(session, "sample")
        paths = training_view.write_sample(view.samples[sample], folder)
        kinds = ("source", "converted", "spectrograms")
        return tuple(str(paths[kind]) if kind in paths else None for kind in kinds)

    def _recordings(
        self, preset: str, kind: str, source: str, target: str, source_files: list[str] | None,
        target_files: list[str] | None, *, folder: Path,
    ) -> dict[str, str]:  # fmt: skip
        """Return the folders of both speakers' recordings, by the names of their flags."""
        if preset not in PRESET_LABELS:
            raise InputError(f"received preset {preset!r}; choose one of the list")
        if preset.startswith("demo"):
            return {}
        if kind == UPLOADS:
            return recordings.store_uploads(
                source_files or [], target_files or [], folder, self.services.config
            )
        return recordings.check_folders(source, target, self.services.config)

    def _samples(self, view: TrainingView, heard: str | None) -> Any:
        """Return the list of held-out samples; the one that is heard stays chosen.

        Values begin with the step, so that the page fetches a recording again at its next step.
        """
        values = {name: f"{view.samples[name].step} {name}" for name in view.samples}
        labels = [(f"{name}, step {view.samples[name].step}", values[name]) for name in values]
        kept = values.get((heard or "").partition(" ")[2], next(iter(values.values()), None))
        return gr.update(choices=labels, value=kept)

    def _pictures_of(self, run_dir: Path) -> list[tuple[str, Path]]:
        """Return the pictures of a run's recordings; none before the run has settings."""
        if not run_files.exists(run_dir):
            return []
        return reports.preparation_pictures(run_list.read_config(run_dir))

    def _found(self, summary: str, drawn: list[tuple[str, Path]]) -> list[Any]:
        """Return a summary and pictures of recordings, copied to where the page may read."""
        shared = self.services.workspace.shared_folder()
        shown = [
            gr.update(
                value=recordings.copy_picture(path, shared), label=f"{name}: length, F0, level"
            )
            for name, path in drawn
        ]
        missing = [gr.skip()] * (len(SPEAKERS) - len(shown))
        return [gr.update(visible=bool(summary or drawn)), summary, *shown, *missing]
