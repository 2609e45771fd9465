"""Preparation on a real Dask cluster: equal stores, recordings that kill, recordings in S3."""

import filecmp
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import run_command, write_voices
from dask_processes import (
    Cluster,
    analyse_or_die,
    attempts,
    running_cluster,
    wait_for,
    which_modules,
)
from s3_server import running_s3, s3_environment

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import analysis_worker, preparation
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.utterances import Recording
from cyclegan_vc_tf.system.errors import InputError

DIO = FeatureConfig(f0_method="dio")


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """Address of a local server of S3."""
    with running_s3() as address:
        yield address


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory, storage: str) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with running_cluster(folder, 2, s3_environment(storage)) as started:
        yield started


def prepare(folder: Path, corpus: CorpusConfig, config: FeatureConfig = DIO) -> FeatureStore:
    return preparation.prepare_store(folder, audio_files.find(folder), corpus, config)


def files_of(store: FeatureStore) -> list[str]:
    return sorted(str(path.relative_to(store.folder)) for path in store.folder.rglob("*"))


@pytest.mark.parametrize(
    ("config", "splitting"),
    [
        (DIO, {"split_silence": True, "longest_piece_s": 1.0, "shortest_piece_s": 0.3}),
        (FeatureConfig(spectra="log_mel"), {}),
    ],
    ids=["mel_cepstra_split", "log_mel"],
)
def test_a_cluster_makes_the_store_of_one_machine(
    two_workers: Cluster, tmp_path: Path, config: FeatureConfig, splitting: dict
) -> None:
    folder = write_voices(tmp_path / "anna", 120.0, 6, seconds=1.2)
    (folder / "damaged.wav").write_bytes(b"RIFF")
    here, there = (
        prepare(folder, CorpusConfig(features_dir=str(tmp_path / name), **given), config)
        for name, given in (
            ("here", {"workers": 1, **splitting}),
            ("there", {"scheduler": two_workers.address, **splitting}),
        )
    )
    assert here.folder != there.folder and here.folder.name == there.folder.name
    assert files_of(here) == files_of(there)
    names = [name for name in files_of(here) if (here.folder / name).is_file()]
    assert len([name for name in names if name.endswith(".npy")]) == 2
    _, differing, failed = filecmp.cmpfiles(here.folder, there.folder, names, shallow=False)
    assert (differing, failed) == ([], [])


def test_workers_do_not_load_tensorflow(two_workers: Cluster) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.Client(two_workers.address, set_as_default=False) as client:
        client.wait_for_workers(2)
        loaded = client.run(which_modules, "tensorflow")
    assert list(loaded.values()) == [[], []]


def test_a_recording_that_kills_its_worker_is_named_and_tried_again(
    two_workers: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_voices(tmp_path / "anna", 120.0, 4)
    shutil.copy(folder / "00.wav", folder / "bad.wav")
    corpus = CorpusConfig(features_dir=str(tmp_path / "f"), scheduler=two_workers.address)
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "analyse_remotely", analyse_or_die)
        store = prepare(folder, corpus)
    assert [each.name for each in store.utterances] == ["00.wav", "01.wav", "02.wav", "03.wav"]
    [skipped] = store.skipped
    assert skipped.name == "bad.wav" and "killed its worker" in skipped.skipped
    assert len(attempts(folder)["bad.wav"]) == 2
    # Without a hash, it is tried again the next time.
    assert "bad.wav" in [each.name for each in prepare(folder, corpus).utterances]


def test_nothing_is_done_twice_after_the_end_of_a_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_voices(tmp_path / "anna", 120.0, 3)
    shutil.copy(folder / "00.wav", folder / "late.wav")
    monkeypatch.setattr(preparation, "analyse_remotely", analyse_or_die)
    first = Cluster(tmp_path / "first")
    first.start_worker("--no-nanny")
    corpus = CorpusConfig(features_dir=str(tmp_path / "f"), scheduler=first.address)
    killer = threading.Timer(0, kill_at_the_last, (folder, tmp_path / "f", first))
    killer.start()
    try:
        with pytest.raises(InputError, match="does not answer any more; start it and its workers"):
            prepare(folder, corpus)
    finally:
        killer.join()
        (folder / "go").touch()
        first.close()
    with running_cluster(tmp_path / "second", 1) as second:
        again = CorpusConfig(features_dir=str(tmp_path / "f"), scheduler=second.address)
        store = prepare(folder, again)
    assert len(store.utterances) == 4
    counts = {name: len(processes) for name, processes in attempts(folder).items()}
    assert counts == {"00.wav": 1, "01.wav": 1, "02.wav": 1, "late.wav": 2}


def kill_at_the_last(folder: Path, features_dir: Path, cluster: Cluster) -> None:
    """Kill the scheduler while `late.wav` is analysed and all others are stored."""
    wait_for(folder / "late.wav.attempts")
    while len(list(features_dir.glob("*/parts/*.npz"))) < 3:
        threading.Event().wait(0.05)
    cluster.scheduler.kill()


def test_a_worker_without_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write_voices(tmp_path / "anna", 120.0, 1)
    recording = Recording.from_file(folder, "00.wav")
    with pytest.raises(InputError, match=r"has no folder .*nowhere; expected storage that all"):
        analysis_worker.analyse_remotely(tmp_path / "nowhere", DIO, CorpusConfig(), recording)
    (folder / "00.wav").write_bytes(b"another")
    with pytest.raises(InputError, match=r"has another .*00\.wav; expected storage that all"):
        analysis_worker.analyse_remotely(folder, DIO, CorpusConfig(), recording)


def test_processes_here_and_a_scheduler_are_refused_together() -> None:
    with pytest.raises(InputError, match="--workers is 2, and the workers of --scheduler tcp://h"):
        CorpusConfig(workers=2, scheduler="tcp://h:1").validate()


def test_folders_in_s3_are_prepared_as_local_ones(
    two_workers: Cluster, storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_environment(storage).items():
        monkeypatch.setenv(name, value)
    boto3 = pytest.importorskip("boto3")
    client = boto3.client("s3")
    client.create_bucket(Bucket="speech")
    local = {}
    for name, f0_hz in (("anna", 120.0), ("ben", 200.0)):
        local[name] = write_voices(tmp_path / name, f0_hz, 4)
        (local[name] / "damaged.wav").write_bytes(b"RIFF")
        (local[name] / ".hidden.wav").write_bytes(b"RIFF")
        (local[name] / "spoken.amr").write_bytes(b"#!AMR")
        for path in local[name].iterdir():
            client.upload_file(str(path), "speech", f"corpus/{name}/{path.name}")
    # The console of S3 makes such files for folders.
    client.put_object(Bucket="speech", Key="corpus/anna/", Body=b"")
    outputs: dict[str, list[str]] = {}
    stores: dict[str, dict[str, FeatureStore]] = {}
    for place, prefix, more in (
        ("s3", "s3://speech/corpus", f"--scheduler={two_workers.address}"),
        ("local", f"file://{tmp_path}", "--workers=1"),
    ):
        done = run_command(
            "-m", "cyclegan_vc_tf", "prepare", f"--source_dir={prefix}/anna",
            f"--target_dir={prefix}/ben", f"--features_dir={tmp_path / place}", "--f0_method=dio",
            "--held_out_fraction=0.3", more,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        outputs[place] = [
            line for line in done.stdout.splitlines() if str(tmp_path / place) not in line
        ]
        stores[place] = {
            path.name.split("-")[0]: FeatureStore(path) for path in (tmp_path / place).iterdir()
        }
    assert "skipped damaged.wav: cannot be read" in "\n".join(outputs["s3"])
    assert outputs["s3"] == outputs["local"]
    for name, store in stores["local"].items():
        other = stores["s3"][name]
        assert bytes(other.spectra) == bytes(store.spectra)
        assert bytes(other.f0_hz) == bytes(store.f0_hz)
        assert [each.sha256 for each in other.utterances] == [
            each.sha256 for each in store.utterances
        ]
