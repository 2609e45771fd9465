"""Files that other programs make: checkpoints, statistics, vocoders, transcripts, all damaged."""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY
from fuzz_arrays import array_archives
from fuzz_harness import bounded, case_folder, fuzz, list_tree, run_command
from fuzz_mutations import damaged_bytes
from hypothesis import strategies as st

from cyclegan_vc_tf.evaluation import evaluation_sets
from cyclegan_vc_tf.interop import public_files, public_statistics, torch_files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import melgan

CHECKPOINT = REPOSITORY / "tests/end_to_end/data/version_0.1/run/checkpoints/ckpt-4"


def pytorch_contents() -> list[bytes]:
    """Return the bytes of files that PyTorch saved, and of files that it did not."""
    torch = pytest.importorskip("torch")

    def save(data: Any, *, is_zip: bool = True) -> bytes:
        file = io.BytesIO()
        torch.save(data, file, _use_new_zipfile_serialization=is_zip)
        return file.getvalue()

    state = {"model.1.weight": torch.ones(4, 3, 7), "model.1.bias": torch.zeros(4)}
    return [
        save(state),
        save(state, is_zip=False),
        save({"generator_A2B_state_dict": state, "epoch": 3}),
        save({"a": torch.ones(1).expand(10**9), "b": torch.zeros(2, dtype=torch.int8)}),
        save({"a": torch.ones(3).to_sparse(), 5: torch.ones(2)}),
        save({f"model.{'9' * 5000}.weight": torch.ones(2, 2, 2)}),
        save([state, {}, None]),
        pickle.dumps({"a": Path("x")}),
        pickle.dumps(np.zeros(4, np.float32)),
        b"",
    ]


def check_refusal(error: InputError) -> None:
    """Check that an error has a message."""
    assert str(error) and "Traceback" not in str(error)


def test_pytorch_files_are_read_or_refused() -> None:
    contents = st.sampled_from(pytorch_contents()).flatmap(
        lambda data: st.just(data) | damaged_bytes(data)
    )

    def check(content: bytes) -> None:
        with case_folder() as folder:
            path = folder / "generator_A2B.pt"
            path.write_bytes(content)
            for read in (torch_files.read, lambda path: public_files.read([str(path)])):
                with bounded():
                    try:
                        read(path)
                    except InputError as error:
                        check_refusal(error)
            before = list_tree(folder)
            outcome = run_command(
                "import_vocoder", f"--checkpoint={path}", f"--output={folder}/out.npz"
            )
            assert outcome.status == 2 and list_tree(folder) == before

    fuzz(contents, check, examples=40)


def test_tensorflow_checkpoints_are_read_or_refused() -> None:
    names = (f"{CHECKPOINT.name}.index", f"{CHECKPOINT.name}.data-00000-of-00001")
    contents = {name: CHECKPOINT.with_name(name).read_bytes() for name in names}
    cases = st.sampled_from(names).flatmap(
        lambda name: st.tuples(st.just(name), damaged_bytes(contents[name]))
    )

    def check(case: tuple[str, bytes]) -> None:
        name, content = case
        with case_folder() as folder:
            for each in names:
                (folder / each).write_bytes(content if each == name else contents[each])
            with bounded():
                try:
                    found = public_files.read([str(folder / CHECKPOINT.name)])
                except InputError as error:
                    check_refusal(error)
                else:
                    assert set(found) <= set(public_files.NETWORKS)

    fuzz(cases, check, examples=30)


def test_statistics_are_read_or_refused() -> None:
    arrays = {"mean_A": np.zeros(24), "std_A": np.ones(24), "mean_B": np.ones(24),
              "std_B": np.ones(24)}  # fmt: skip

    def check(content: bytes) -> None:
        with case_folder() as folder:
            path = folder / "statistics.npz"
            path.write_bytes(content)
            with bounded():
                try:
                    found = public_statistics.read([str(path)], 24, has_f0=False)
                except InputError as error:
                    check_refusal(error)
                else:
                    assert all(each.mean.shape == (24,) for each in found.values())

    fuzz(array_archives(arrays), check, examples=60)


def test_vocoders_are_read_or_refused(tmp_path: Path) -> None:
    model = melgan.melgan_generator(4, 2, (2, 2), (1, 3))
    melgan.save(model, tmp_path / "vocoder.npz")
    with np.load(tmp_path / "vocoder.npz") as stored:
        arrays = dict(stored)

    def check(content: bytes) -> None:
        with case_folder() as folder:
            path = folder / "vocoder.npz"
            path.write_bytes(content)
            with bounded():
                try:
                    found, _ = melgan.load(path)
                except InputError as error:
                    check_refusal(error)
                else:
                    samples = melgan.synthesize(found, np.zeros((20, 4), np.float32))
                    assert samples.shape == (80,) and np.isfinite(samples).all()

    fuzz(array_archives(arrays), check, examples=60)


def test_transcripts_are_read_or_refused() -> None:
    text = "a\tHello there.\r\nb\tÄpfel\u2028und Birnen\n\n# c\td\n"
    texts = st.builds(
        lambda end, encoding: text.replace("\n", end).encode(encoding, "replace"),
        st.sampled_from(("\n", "\r", "\0")),
        st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "latin-1")),
    )

    def check(content: bytes) -> None:
        with case_folder() as folder:
            path = folder / "transcripts.tsv"
            path.write_bytes(content)
            with bounded():
                try:
                    table = evaluation_sets.read_transcripts(path)
                except InputError as error:
                    check_refusal(error)
                else:
                    json.dumps(table)

    fuzz(texts | texts.flatmap(damaged_bytes), check, examples=60)
