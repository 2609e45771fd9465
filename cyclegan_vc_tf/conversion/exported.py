"""Exported generators in place of a run folder: conversion without TensorFlow, by ONNX Runtime."""

from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.runs import exported_files, exported_model
from cyclegan_vc_tf.runs.exported_model import INPUT, OUTPUT, ExportedModel
from cyclegan_vc_tf.system import onnx_sessions
from cyclegan_vc_tf.system.errors import InputError

REMEDY = "expected an ONNX file of the command export"


def _shapes(about: ExportedModel) -> tuple[onnx_sessions.Shapes, onnx_sessions.Shapes]:
    """Return the shapes of a generator's input and of its output."""
    shape = (None, about.config.features.bins)
    return {INPUT: shape}, {OUTPUT: shape}


class ExportedGenerator:
    """Generator of an ONNX file, with normalisation inside. Several threads may use it.

    Args:
        path: File.

    Attributes:
        path: File.
        about: Description that the file holds.

    Raises:
        InputError: The file cannot be read, or is not an exported generator; or ONNX Runtime is
            not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.about: ExportedModel
        self._session, self.about = onnx_sessions.open_described(
            path, "run_dir", REMEDY, exported_model.parse, _shapes
        )

    def convert(self, features: np.ndarray) -> np.ndarray:
        """Convert features of any number of frames, both (frames, bins) float32, not normalised."""
        (converted,) = self._session.run([OUTPUT], {INPUT: features.astype(np.float32)})
        if converted.shape != features.shape:
            raise InputError(
                f"{self.path} made {converted.shape} from features {features.shape}; {REMEDY}"
            )
        return converted


class ExportedRun:
    """Exported generators of one run; takes the place of a `RunFolder` in a conversion.

    Args:
        path: ONNX file, or folder with one per direction.

    Attributes:
        path: File or folder.
        holds_statistics: Whether generators take and return features that are not normalised.

    Raises:
        InputError: There is no such file, or it is not an exported generator.
    """

    holds_statistics = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._loaded: dict[Path, ExportedGenerator] = {}
        self._files = exported_files.find(path)
        if not self._files or not self._files[0].is_file():
            raise InputError(f"--run_dir {path} is not there; {REMEDY}")

    @cached_property
    def _about(self) -> ExportedModel:
        return self._load(self._files[0]).about

    @property
    def config(self) -> RunConfig:
        """Settings of the run."""
        return self._about.config

    @property
    def statistics(self) -> dict[str, Statistics]:
        """Statistics of the speakers "A" and "B"."""
        return self._about.statistics

    def directions(self, step: int) -> tuple[Direction, ...]:
        """Return the directions that can be converted."""
        return tuple(each for each in Direction if self._find(each) is not None)

    def pick(self, step: str) -> int:
        """Return the step of the generators.

        Args:
            step: "last", "best", or that number.

        Raises:
            InputError: Another number is given.
        """
        own = self._about.step
        if step not in ("last", "best", str(own)):
            raise InputError(
                f"--step is {step:.100}, but {self.path} was exported with step {own} only; leave "
                "--step out"
            )
        return own

    def load_generator(self, direction: str, step: int | None = None) -> tuple[Any, int]:
        """Load the generator of a direction.

        Args:
            direction: "A2B" or "B2A".
            step: Ignored, since there is one.

        Returns:
            Function from features to converted features, both (frames, bins), and the step.

        Raises:
            InputError: There is no generator of this direction, or its file is not usable.
        """
        generator = self._find(direction)
        if generator is None:
            other = Direction(direction).reverse
            raise InputError(
                f"--direction is {direction}, but {self.path} converts {other} only; give "
                f"--direction={other}, or export {direction} too"
            )
        return generator.convert, generator.about.step

    def _find(self, direction: str) -> ExportedGenerator | None:
        """Return the generator of a direction; None where no file holds it."""
        named = [path for path in self._files if path.name == exported_files.file_name(direction)]
        for path in named or self._files:
            generator = self._load(path)
            if generator.about.direction == direction:
                return generator
        return None

    def _load(self, path: Path) -> ExportedGenerator:
        with self._lock:
            if path not in self._loaded:
                self._loaded[path] = ExportedGenerator(path)
            return self._loaded[path]
