"""Folders in object storage: a local server of S3, and storage that cannot be read."""

import builtins
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import write_voices
from s3_server import running_s3, s3_environment

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config import overrides, settings
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.data.utterances import Recording
from cyclegan_vc_tf.system import files, remote_files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.remote_files import RemotePath, to_path


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a local server of S3."""
    with running_s3() as address:
        yield address


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Client of a local S3 with the empty bucket `speech`."""
    s3fs, boto3 = pytest.importorskip("s3fs"), pytest.importorskip("boto3")
    for name, value in s3_environment(server).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="speech")
    yield client
    for found in client.list_objects_v2(Bucket="speech").get("Contents", []):
        client.delete_object(Bucket="speech", Key=found["Key"])
    client.close()
    s3fs.S3FileSystem.clear_instance_cache()


def error_of(url: str) -> str:
    """Return the error of a folder that cannot be listed; one line."""
    with pytest.raises(InputError) as caught:
        audio_files.find(to_path(url))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_path_keeps_its_url() -> None:
    folder = to_path("s3://bucket/a folder/anna/")
    path = folder / "sub/one.wav"
    assert isinstance(path, RemotePath)
    assert str(path) == os.fspath(path) == "s3://bucket/a folder/anna/sub/one.wav"
    assert (path.name, path.suffix, folder.name) == ("one.wav", ".wav", "anna")
    assert path.relative_to(folder).as_posix() == "sub/one.wav"
    assert pickle.loads(pickle.dumps(path)) == path.resolve() == path
    assert to_path("s3://bucket").name == "bucket"
    assert type(to_path("folder")) is type(Path("folder"))


def test_audio_files_are_found_read_and_hashed(bucket: Any, tmp_path: Path) -> None:
    folder = write_voices(tmp_path / "anna", 120.0, 2)
    (folder / "sub").mkdir()
    (folder / "01.wav").rename(folder / "sub" / "ü 1.WAV")
    (folder / ".hidden.wav").touch()
    (folder / "notes.txt").write_text("no audio")
    for path in folder.rglob("*.*"):
        bucket.upload_file(str(path), "speech", f"anna/{path.relative_to(folder)}")
    bucket.put_object(Bucket="speech", Key="anna/", Body=b"")
    bucket.put_object(Bucket="speech", Key="annabelle/00.wav", Body=b"")
    remote = to_path("s3://speech/anna")
    names = audio_files.find(remote)
    assert names == audio_files.find(folder) == ["00.wav", "sub/ü 1.WAV"]
    assert audio_files.count_files(remote) == audio_files.count_files(folder) == 4
    for name, recording in zip(names, Recording.from_folder(remote, names), strict=True):
        assert recording == Recording.from_file(remote, name)
        found = bucket.head_object(Bucket="speech", Key=f"anna/{name}")
        assert recording.size == (folder / name).stat().st_size
        assert recording.modified_ns == found["LastModified"].timestamp() * 1e9
        assert files.sha256(remote / name) == files.sha256(folder / name)
        local, local_hz = audio_files.read(folder / name)
        samples, rate_hz = audio_files.read(remote / name)
        assert rate_hz == local_hz and samples.tobytes() == local.tobytes()
    assert remote.is_dir() and (remote / "00.wav").is_file()
    assert not (remote / "none.wav").exists()
    with pytest.raises(audio_files.AudioError, match="cannot be opened"):
        audio_files.read(remote / "none.wav")


def test_a_changed_file_is_seen(bucket: Any) -> None:
    bucket.put_object(Bucket="speech", Key="anna/00.wav", Body=b"one")
    folder = to_path("s3://speech/anna")
    [before] = Recording.from_folder(folder, ["00.wav"])
    bucket.put_object(Bucket="speech", Key="anna/00.wav", Body=b"other")
    assert Recording.from_folder(folder, ["00.wav"]) != [before]


def test_folders_that_are_missing_or_no_folder_are_refused(bucket: Any) -> None:
    bucket.put_object(Bucket="speech", Key="anna/00.wav", Body=b"one")
    bucket.put_object(Bucket="speech", Key="odd//00.wav", Body=b"one")
    for url in ("s3://no-such-bucket/anna", "s3://speech/none"):
        assert error_of(url) == f"{url} does not exist; expected a folder of recordings"
    assert error_of("s3://speech/anna/00.wav").endswith(
        "is a file; expected a folder of recordings"
    )
    assert "has a file with the name '/00.wav', which is not" in error_of("s3://speech/odd")


def test_storage_that_refuses_is_named(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3fs = pytest.importorskip("s3fs")
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    requests = pytest.importorskip("requests")
    # From now on, the server knows no user.
    requests.post(f"{endpoint}/moto-api/reset-auth", data="0").raise_for_status()
    try:
        message = error_of("s3://speech/anna")
    finally:
        requests.post(f"{endpoint}/moto-api/reset-auth", data="inf").raise_for_status()
    assert message.startswith("s3://speech/anna cannot be read (") and "Access Key" in message
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    s3fs.S3FileSystem.clear_instance_cache()
    assert "(Unable to locate credentials)" in error_of("s3://speech/anna")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def test_missing_packages_and_unknown_storage_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    message = error_of("gs://bucket/anna")
    assert "gcsfs" in message and "cyclegan-vc-tf[cluster]" in message
    load = builtins.__import__

    def without_fsspec(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "fsspec":
            raise ModuleNotFoundError("No module named 'fsspec'")
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_fsspec)
    assert error_of("s3://bucket/anna") == (
        "s3://bucket/anna needs fsspec, which is not installed; pip install "
        "'cyclegan-vc-tf[cluster]'"
    )


@pytest.mark.parametrize(
    ("moment", "expected_ns"),
    [
        (86_400.5, 86_400_500_000_000),
        ("1970-01-02T00:00:00.000001Z", 86_400_000_001_000),
        ("1970-01-02T01:00:00+01:00", 86_400_000_000_000),
    ],
)
def test_times_of_other_storages(moment: Any, expected_ns: int) -> None:
    """Seconds as local files and SFTP have them, text as Google Cloud Storage has it."""
    info = {"type": "file", "size": 3, "mtime": moment}
    status = remote_files._to_status(RemotePath("gs://b/x"), info)
    assert (status.st_size, status.st_mtime_ns) == (3, expected_ns)


def test_storage_without_times_is_refused() -> None:
    with pytest.raises(InputError, match="has no time of its last modification"):
        remote_files._to_status(RemotePath("x://b/x"), {"type": "file", "size": 3})


def test_folders_of_recordings_alone_may_be_urls(tmp_path: Path) -> None:
    def chosen(**changes: str) -> RunConfig:
        return overrides.override(RunConfig(), changes)

    config = chosen(source_dir="s3://b/anna/", target_dir=f"file://{tmp_path}/ben")
    assert config.corpus.source_dir == "s3://b/anna"
    assert config.corpus.target_dir == f"{tmp_path}/ben"
    with pytest.raises(InputError, match="received s3://b/f; expected a folder or file of this"):
        chosen(features_dir="s3://b/f")
    # Another process sees nothing there, and a client of Dask runs what a scheduler sends.
    for url in ("memory://anna", "dask://host/anna", "nosuch://anna", "S3://b/anna"):
        with pytest.raises(InputError, match=f"received {url}; expected a folder, or one in stor"):
            chosen(source_dir=url)
    with pytest.raises(InputError, match="names no folder"):
        chosen(source_dir="s3://")
    assert settings.absolute_path("") == ""
