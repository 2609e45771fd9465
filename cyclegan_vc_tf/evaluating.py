"""A run's evaluation, from its folder to everything that a report says."""

from pathlib import Path

from cyclegan_vc_tf import evaluation_sets, family, judges
from cyclegan_vc_tf.config import JudgesConfig
from cyclegan_vc_tf.conversion import Converter
from cyclegan_vc_tf.errors import InputError
from cyclegan_vc_tf.evaluation import SYSTEMS, Evaluation, Evaluator, Judges, Scores, Waves
from cyclegan_vc_tf.progress import bar
from cyclegan_vc_tf.run_folder import RunFolder


def evaluate(
    run: RunFolder, step: int, config: JudgesConfig, examples_shown: int = 0
) -> Evaluation:
    """Scores both directions of a run and their bounds.

    Args:
        run: The run.
        step: Of the checkpoint.
        config: References, and what the judges need.
        examples_shown: Recordings of each direction whose waves are kept.

    Raises:
        InputError: The run has nothing held out, a recording cannot be used, or the model of the
            recogniser or the transcripts cannot be.
    """
    asked, not_measured = judges_of(config)
    sets = evaluation_sets.of_run(run, config.reference_dir)
    scores: dict[str, dict[str, Scores]] = {}
    examples: dict[str, dict[str, Waves]] = {}
    with bar(desc="Evaluating", unit="system", total=len(sets) * len(SYSTEMS)) as progress:
        for direction, recordings in sets.items():
            generator, _ = run.load_generator(direction, step)
            source, target = (run.statistics[direction[index]] for index in (0, 2))
            converter = Converter(
                generator, source, target, run.config.features, run.config.vocoder
            )
            evaluator = Evaluator(recordings, run.config.features.sample_rate_hz, asked)
            waves = {**evaluator.bounds(converter), "converted": evaluator.converted(converter)}
            scores[direction] = {}
            for system in SYSTEMS:
                scores[direction][system] = evaluator.score(waves[system])
                progress.update()
            not_measured |= evaluator.not_measured()
            examples[direction] = {
                name: {"source": evaluator.sources[name], "converted": waves["converted"][name]}
                | ({"target": evaluator.references[name]} if name in evaluator.references else {})
                for name in list(evaluator.sources)[:examples_shown]
            }
    rate_hz = run.config.features.sample_rate_hz
    title = f"{run.path.name} ({family.FAMILY[run.config.network.variant].paper})"
    return Evaluation(title, step, rate_hz, scores, not_measured, examples)


def judges_of(config: JudgesConfig) -> tuple[Judges, dict[str, str]]:
    """The judges that can be had, and why each metric of the others is not measured.

    Raises:
        InputError: As for `evaluate`.
    """
    similarity = judges.missing(*judges.SpeakerSimilarity.PACKAGES)
    naturalness = judges.missing(*judges.Naturalness.PACKAGES)
    words, intelligibility = "no model is given (--whisper_model)", None
    if config.whisper_model and not config.transcripts:
        words = "no transcripts are given (--transcripts)"
    elif config.whisper_model:
        intelligibility = judges.Intelligibility(Path(config.whisper_model))
        if words := judges.missing(*judges.Intelligibility.PACKAGES):
            raise InputError(f"--whisper_model cannot be asked: {words}")
    asked = Judges(
        similarity=None if similarity else judges.SpeakerSimilarity(),
        naturalness=None if naturalness else judges.Naturalness(),
        intelligibility=intelligibility,
        transcripts={} if words else evaluation_sets.transcripts(Path(config.transcripts)),
    )
    reasons = {
        "speaker_similarity": similarity,
        "source_similarity": similarity,
        "dnsmos": naturalness,
        "word_error_rate": words,
    }
    return asked, {metric: reason for metric, reason in reasons.items() if reason}
