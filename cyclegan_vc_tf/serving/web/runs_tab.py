"""Tab Runs: inspect, evaluate, TensorBoard, publish, delete."""

import shutil
from typing import Any

import gradio as gr

from cyclegan_vc_tf import evaluations, exchange
from cyclegan_vc_tf.serving.web import markup, reports
from cyclegan_vc_tf.serving.web.services import Services, show_errors
from cyclegan_vc_tf.system.errors import InputError


class RunsTab:
    """Widgets of the tab and their handlers.

    Args:
        services: Objects behind the page.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        with gr.Row(equal_height=False, elem_classes="bottom"):
            with gr.Column(scale=3, min_width=300):
                self.run = gr.Dropdown(label="Run", choices=[], elem_id="runs-run")
            with gr.Column(scale=1, min_width=160):
                self.tensorboard = gr.Button("Start TensorBoard", elem_id="runs-tensorboard")
                self.address = gr.HTML(elem_id="runs-address")
        self.problems = gr.HTML(elem_id="runs-problems")
        self.facts = gr.HTML(elem_id="runs-facts")
        with gr.Accordion("Evaluation", open=True):
            with gr.Row(elem_classes="bottom"):
                self.report_step = gr.Dropdown(
                    label="Evaluated step", choices=[], elem_id="runs-report-step"
                )
                self.evaluate = gr.Button("Evaluate the last step", elem_id="runs-evaluate")
            self.report = gr.HTML(elem_id="runs-report")
        with gr.Accordion("Publish", open=False):
            self.about = gr.Textbox(
                label="About these voices",
                info="Beginning of the model card: whose voices, their origin, their licence",
                lines=3,
                elem_id="runs-about",
            )
            self.publish_name = gr.Textbox(
                label="Name of the copy", max_lines=1, elem_id="runs-publish-name"
            )
            self.publish = gr.Button("Publish", elem_id="runs-publish")
            self.published = gr.DownloadButton(
                "Download the published run (zip)", visible=False, elem_id="runs-published"
            )
        with gr.Accordion("Delete", open=False):
            self.delete = gr.Button("Delete this run", elem_id="runs-delete")
            with gr.Group(visible=False) as self.question:
                self.question_text = gr.HTML(elem_id="runs-question")
                with gr.Row():
                    self.confirm = gr.Button("Delete", variant="stop", elem_id="runs-confirm")
                    self.keep = gr.Button("Keep", elem_id="runs-keep")
        self.answer = gr.HTML(elem_id="runs-answer")
        self._connect()

    def _connect(self) -> None:
        private: dict[str, Any] = {"api_visibility": "private"}
        hidden: dict[str, Any] = {"show_progress": "hidden", **private}
        shown = [self.facts, self.problems, self.report_step, self.report, self.question]
        self.run.change(
            self.show_run, self.run, shown, show_progress="minimal", show_progress_on=self.facts,
            **private,
        )  # fmt: skip
        self.report_step.input(
            self.show_report, [self.run, self.report_step], self.report, **hidden
        )
        self.tensorboard.click(self.start_tensorboard, None, self.address, **private)
        self.evaluate.click(
            self.run_evaluation, self.run, self.answer, concurrency_id="conversion",
            show_progress_on=self.answer, **private,
        ).success(self.show_run, self.run, shown, **hidden)  # fmt: skip
        self.publish.click(
            self.run_publish,
            [self.run, self.publish_name, self.about],
            [self.answer, self.published],
            **private,
        )
        self.delete.click(self.ask, self.run, [self.question, self.question_text], **hidden)
        self.keep.click(lambda: gr.update(visible=False), None, self.question, **hidden)
        self.confirm.click(
            self.run_delete, self.run, [self.answer, self.question, self.run], **private
        )

    def refresh(self, current: str | None) -> Any:
        """Return the list of runs and pretrained models as it is now."""
        names = self.services.runs.voices()
        return gr.update(choices=names, value=current if current in names else names[0])

    @show_errors
    def show_run(self, name: str | None) -> tuple[Any, ...]:
        """Return what an inspection finds, and the last evaluation."""
        run = self.services.runs.find(name)
        facts, problems = reports.inspect_text(run)
        steps = reports.evaluated_steps(run)
        return (
            markup.preformatted(facts, "Contents of the run folder"),
            "".join(markup.status(f"damaged: {each}", "problem") for each in problems)
            or markup.status("The run folder is in order.", "done"),
            gr.update(choices=steps, value=steps[-1] if steps else None),
            self._report(run, None),
            gr.update(visible=False),
        )

    @show_errors
    def show_report(self, name: str | None, step: int | None) -> str:
        """Return the page of an evaluation."""
        return self._report(self.services.runs.find(name), step)

    @show_errors
    def start_tensorboard(self) -> str:
        """Start TensorBoard, and return a link to it."""
        return markup.link(self.services.tensorboard.start(), "Open TensorBoard")

    @show_errors
    def run_evaluation(self, name: str | None) -> str:
        """Evaluate the last checkpoint of a run."""
        evaluation = evaluations.evaluate(self.services.runs.find(name))
        missing = "; ".join(
            f"{metric} was not measured: {reason}"
            for metric, reason in evaluation.not_measured.items()
        )
        text = f"Evaluated step {evaluation.step}. {missing}"
        return markup.status(text.strip(), "done")

    @show_errors
    def run_publish(
        self, name: str | None, copy: str, about: str, request: gr.Request
    ) -> tuple[Any, ...]:
        """Write a small copy of a run among the runs, and offer it as a zip file."""
        if not (about or "").strip():
            raise InputError("nothing is said about the voices; say whose they are")
        run, output = self.services.runs.find(name), self.services.runs.new_path(copy)
        step, weights = exchange.publish(run, output, about.strip() + "\n")
        folder = self.services.workspace.fresh_folder(str(request.session_hash), "published")
        archive = shutil.make_archive(str(folder / output.name), "zip", output)
        text = f"Published step {step}: {weights.stat().st_size / 1e6:.1f} MB of weights."
        return markup.status(text, "done"), gr.update(value=archive, visible=True)

    @show_errors
    def ask(self, name: str | None) -> tuple[Any, str]:
        """Return the question before a deletion."""
        size = self.services.runs.size_bytes(name or "") / 1e6
        text = f"Delete {name} with {size:.1f} MB, and recordings that were uploaded for it?"
        return gr.update(visible=True), markup.status(text, "problem")

    @show_errors
    def run_delete(self, name: str | None) -> tuple[Any, ...]:
        """Delete a run."""
        if name in self.services.trainings.running():
            raise InputError(f"{name} is being trained; stop it first")
        self.services.runs.delete(name or "")
        text = markup.status(f"Deleted {name}.", "done")
        return text, gr.update(visible=False), self.refresh(None)

    def _report(self, run: Any, step: int | None) -> str:
        if not reports.evaluated_steps(run):
            return markup.status("This run has no evaluation yet.")
        return markup.report_frame(reports.report_path(run, step))
