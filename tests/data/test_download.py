"""Tests of public corpora: from a local server to features, and all failures.

The archives are made here, in the layout that public projects read; the real ones are not at hand.
"""

import errno
import hashlib
import io
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, run_here, write_voices

from cyclegan_vc_tf.data import archives, corpora, download

SPEAKERS = {
    "vcc2016": ("SF1", "TF2"),
    "vcc2018": ("VCC2SF3", "VCC2TM1"),
    "arctic": ("slt", "bdl"),
}

NAMES = {
    "vcc2016": (["100001", "100002", "100162"], ["200001", "200054"]),
    "vcc2018": (["10001", "10081", "20001"], ["30001", "30035"]),
    "arctic": (["arctic_a0001", "arctic_a0593", "arctic_b0489"], ["arctic_b0490", "arctic_b0539"]),
}
"""Names of training and held-out recordings, by corpus."""


class Server(ThreadingHTTPServer):
    """Server of archives by name, which can simulate a failure."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.asked: list[str] = []
        self.trouble = ""
        self.half_sent, self.go_on = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        """Common beginning of the addresses of its files."""
        return f"http://127.0.0.1:{self.server_port}/mirror/"


class Handler(BaseHTTPRequestHandler):
    """Answers of a `Server`."""

    server: Server

    def do_GET(self) -> None:
        """Answer a request, or simulate the server's failure."""
        name = self.path.removeprefix("/mirror/")
        self.server.asked.append(name)
        data = self.server.files.get(name)
        if data is None or self.server.trouble == "404":
            self.send_error(404)
            return
        if self.server.trouble == "page":
            data = b"<!DOCTYPE html><title>Too busy</title>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.server.trouble == "silent":
            self.server.go_on.wait(20)
        elif self.server.trouble in ("cut", "stalled"):
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.server.half_sent.set()
            if self.server.trouble == "stalled":
                self.server.go_on.wait(20)
        else:
            self.wfile.write(data)

    def log_message(self, *about: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[list[bytes]]:
    """Wav files of two synthetic voices."""
    folder = tmp_path_factory.mktemp("voices")
    return [
        [path.read_bytes() for path in sorted(write_voices(folder / str(hz), hz, 5).iterdir())]
        for hz in (110.0, 210.0)
    ]


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:bz2") as archive:
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        # Not in the order of their names, as `tar` takes them from a folder.
        for name in sorted(files, reverse=True):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            archive.addfile(entry, io.BytesIO(files[name]))
    return data.getvalue()


def recordings(corpus: str, voices: list[list[bytes]]) -> dict[tuple[str, str], dict[str, bytes]]:
    """Return the published recordings: bytes by name, by side and speaker."""
    found = {}
    for speaker, wavs in zip(SPEAKERS[corpus], voices, strict=True):
        train, held_out = NAMES[corpus]
        found["train", speaker] = dict(zip(train, wavs[:3], strict=True))
        found["held_out", speaker] = dict(zip(held_out, wavs[3:], strict=True))
    return found


def published(corpus: str, voices: list[list[bytes]]) -> dict[str, bytes]:
    """Return the archives of a corpus, by name."""

    def within(top: str, side: str, folder: str = "", only: str = "") -> dict[str, bytes]:
        return {
            f"{top}/{folder or speaker}/{name}.wav": data
            for (each, speaker), files in recordings(corpus, voices).items()
            if each == side and only in speaker
            for name, data in files.items()
        }

    if corpus == "vcc2016":
        noise = {"__MACOSX/vcc2016_training/SF1/._100001.wav": b"x", "vcc2016_training/README": b""}
        return {
            "vcc2016_training.zip": zipped(within("vcc2016_training", "train") | noise),
            "evaluation_all.zip": zipped(within("evaluation_all", "held_out")),
        }
    if corpus == "vcc2018":
        said = {"vcc2018_training/Transcriptions/10001.txt": b"Words."}
        return {
            "vcc2018_database_training.zip": zipped(within("vcc2018_training", "train") | said),
            "vcc2018_database_evaluation.zip": zipped(
                within("vcc2018_evaluation", "held_out", only="VCC2S")
            ),
            "vcc2018_database_reference.zip": zipped(
                within("vcc2018_reference", "held_out", only="VCC2T")
            ),
        }
    archives_by_name = {}
    for speaker in SPEAKERS[corpus]:
        top = f"cmu_us_{speaker}_arctic"
        files = within(top, "train", "wav", speaker) | within(top, "held_out", "wav", speaker)
        text = {f"{top}/etc/txt.done.data": b"( arctic_a0001 )"}
        archives_by_name[f"{top}.tar.bz2"] = tarred(files | text, {f"{top}/bin/wav": "../wav"})
    return archives_by_name


@pytest.fixture
def serve(
    voices: list[list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Server]]:
    """Servers by corpus, with the checksums of the served archives in the table."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")

    class Servers(dict):
        def __missing__(self, corpus: str) -> Server:
            files = published(corpus, voices)
            row = corpora.CORPORA[corpus]
            rows = tuple(
                replace(each, sha256=each.sha256 and hashlib.sha256(files[each.name]).hexdigest())
                if each.name in files
                else each
                for each in row.archives
            )
            monkeypatch.setitem(corpora.CORPORA, corpus, replace(row, archives=rows))
            self[corpus] = server = Server(files)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
            return server

    servers = Servers()
    yield servers
    for server in servers.values():
        server.go_on.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def prepare(tmp_path: Path):
    """Function that runs the command on a corpus folder of this test."""

    def run(corpus: str, server: Server, *more: str) -> subprocess.CompletedProcess:
        return run_here("prepare", *arguments(corpus, server, tmp_path), *more)

    return run


def arguments(corpus: str, server: Server, tmp_path: Path) -> list[str]:
    return [
        f"--corpus={corpus}", f"--corpus_url={server.url}", f"--corpus_dir={tmp_path}/corpus",
        f"--features_dir={tmp_path}/features", "--f0_method=dio", "--workers=1",
    ]  # fmt: skip


def refusal(done: subprocess.CompletedProcess) -> str:
    """Return the single error line of the command."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    # Progress bars aside.
    lines = [each for each in done.stderr.splitlines() if each and "/s]" not in each]
    assert len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
    return lines[0]


def tree(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def wavs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in tree(folder) if name.endswith(".wav")}


def expected_wavs(corpus: str, voices: list[list[bytes]]) -> dict[str, bytes]:
    return {
        f"{side}/{speaker}/{name}.wav": data
        for (side, speaker), files in recordings(corpus, voices).items()
        for name, data in files.items()
    }


@pytest.mark.parametrize("corpus", SPEAKERS)
def test_a_corpus_becomes_folders_and_features(
    corpus: str, serve, prepare, voices: list[list[bytes]], tmp_path: Path
) -> None:
    server = serve[corpus]
    done = prepare(corpus, server)
    assert done.returncode == 0, done.stderr
    assert server.asked == list(server.files)
    folder = tmp_path / "corpus"
    assert wavs(folder) == expected_wavs(corpus, voices)
    without_checksum = [] if corpus == "arctic" else list(server.files)
    assert tree(folder) == {
        *wavs(folder), "lock", *(f"archives/{name}" for name in server.files),
        *(f"archives/{name}.sha256" for name in without_checksum),
    }  # fmt: skip
    for name in wavs(folder):
        samples, sample_rate_hz = soundfile.read(folder / name)
        assert sample_rate_hz == 16_000 and 0.6 <= len(samples) / 16_000 <= 0.8
        assert np.abs(samples).max() > 0.25
    for name in without_checksum:
        # As sha256sum --check reads it.
        digest = hashlib.sha256(server.files[name]).hexdigest()
        assert (folder / f"archives/{name}.sha256").read_text() == f"{digest}  {name}\n"
    assert "Licence: " in done.stdout and "Cite: " in done.stdout
    assert corpora.CORPORA[corpus].page in done.stdout
    for speaker in SPEAKERS[corpus]:
        assert f"{speaker}: 3 training utterances, " in done.stdout
    assert done.stdout.count("2 held out, 0 skipped") == 2

    # The flags that are printed, given to the command as folders, lead to the same features.
    flags = shlex.split(done.stdout.splitlines()[-1])
    source, target = SPEAKERS[corpus]
    assert flags == [
        f"--source_dir={folder}/train/{source}", f"--target_dir={folder}/train/{target}",
        f"--held_out_source_dir={folder}/held_out/{source}",
        f"--held_out_target_dir={folder}/held_out/{target}",
    ]  # fmt: skip
    features = [f"--features_dir={tmp_path}/features", "--f0_method=dio"]
    by_folder = run_here("prepare", *flags, *features)
    assert by_folder.returncode == 0, by_folder.stderr
    assert by_folder.stdout in done.stdout and "features in" in by_folder.stdout

    # A second call does nothing anew, and needs neither server nor archives.
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = prepare(corpus, server)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    shutil.rmtree(folder / "archives")
    assert prepare(corpus, server).returncode == 0
    assert server.asked == list(server.files)


def test_another_speaker_comes_out_of_the_archives_that_are_there(
    serve, prepare, voices: list[list[bytes]], tmp_path: Path
) -> None:
    server = serve["vcc2016"]
    for name, sentences in (("vcc2016_training", NAMES["vcc2016"][0]), ("evaluation_all", ["2"])):
        with zipfile.ZipFile(data := io.BytesIO(server.files[f"{name}.zip"]), "a") as archive:
            for sentence in sentences:
                archive.writestr(f"{name}/TM1/{sentence}.wav", voices[0][0])
        server.files[f"{name}.zip"] = data.getvalue()
    assert prepare("vcc2016", server).returncode == 0
    mine = tmp_path / "corpus" / "train" / "SF1" / "100002.wav"
    mine.unlink()
    done = prepare("vcc2016", server, "--speakers=SF1,TM1")
    assert done.returncode == 0, done.stderr
    assert "SF1: 2 training utterances" in done.stdout and not mine.exists()
    assert "TM1: 3 training utterances" in done.stdout and "train/TM1" in done.stdout
    assert server.asked == list(server.files)


TROUBLES = {
    "cut": "the connection ended before the file was complete",
    "404": "the server answers 404 Not Found",
    "page": "it is a web page, not an archive",
    "silent": "the server sent nothing for 0.3 s",
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("corpus", ["vcc2016", "arctic"])
def test_a_download_that_fails_leaves_nothing_and_a_second_one_works(
    corpus: str, trouble: str, serve, prepare, voices, tmp_path: Path, monkeypatch
) -> None:
    server = serve[corpus]
    monkeypatch.setattr(download, "TIMEOUT_S", 0.3)
    server.trouble = trouble
    line = refusal(prepare(corpus, server))
    first = next(iter(server.files))
    wrong_sum = corpus == "arctic" and trouble == "page"
    said = "its SHA-256 is" if wrong_sum else TROUBLES[trouble]
    assert line.startswith(f"prepare: {server.url}{first}: {said}")
    assert line.endswith(
        f"; try later, or put the file of {corpora.CORPORA[corpus].page} at "
        f"{tmp_path}/corpus/archives/{first}"
    )
    assert tree(tmp_path) == {"corpus/lock"}
    server.trouble = ""
    server.go_on.set()
    assert prepare(corpus, server).returncode == 0
    assert wavs(tmp_path / "corpus") == expected_wavs(corpus, voices)


def test_no_server_at_all_and_an_archive_that_is_put_there_by_hand(
    serve, prepare, voices, tmp_path: Path
) -> None:
    server = serve["vcc2018"]
    gone = Server({})
    gone.server_close()
    assert "the server cannot be reached" in refusal(prepare("vcc2018", gone))
    folder = tmp_path / "corpus" / "archives"
    folder.mkdir()
    for name, data in server.files.items():
        (folder / name).write_bytes(data)
    assert prepare("vcc2018", gone).returncode == 0
    assert wavs(tmp_path / "corpus") == expected_wavs("vcc2018", voices)
    assert (folder / "vcc2018_database_training.zip.sha256").exists() and server.asked == []


def test_a_wrong_checksum(serve, prepare, voices, tmp_path: Path) -> None:
    """Both the published checksum and that of the first download are verified."""
    arctic, name = serve["arctic"], "cmu_us_slt_arctic.tar.bz2"
    right, arctic.files[name] = arctic.files[name], arctic.files["cmu_us_bdl_arctic.tar.bz2"]
    expected, received = (hashlib.sha256(each).hexdigest() for each in (right, arctic.files[name]))
    line = refusal(prepare("arctic", arctic))
    assert f"its SHA-256 is {received}; expected {expected}, the published value" in line
    assert tree(tmp_path) == {"corpus/lock"}
    arctic.files[name] = right
    assert prepare("arctic", arctic).returncode == 0

    vcc, name = serve["vcc2016"], "vcc2016_training.zip"
    assert prepare("vcc2016", vcc).returncode == 0
    folder = tmp_path / "corpus"
    before = wavs(folder)
    (folder / "archives" / name).unlink()
    shutil.rmtree(folder / "train" / "SF1")
    right, vcc.files[name] = vcc.files[name], zipped({"vcc2016_training/SF1/100001.wav": b"x"})
    record = folder / "archives" / f"{name}.sha256"
    line = refusal(prepare("vcc2016", vcc))
    assert (
        f"expected {hashlib.sha256(right).hexdigest()}, the first download's value, in {record}"
        in line
    )
    assert not (folder / "archives" / name).exists()
    vcc.files[name] = right
    assert prepare("vcc2016", vcc).returncode == 0
    assert wavs(folder) == before

    # An archive that is kept, and was damaged since.
    shutil.rmtree(folder / "train" / "SF1")
    (folder / "archives" / name).write_bytes(right[:-1])
    line = refusal(prepare("vcc2016", vcc))
    assert line.endswith("; delete it to download it anew") and "its SHA-256 is" in line
    (folder / "archives" / name).unlink()
    assert prepare("vcc2016", vcc).returncode == 0
    assert wavs(folder) == before


def test_the_published_checksums_are_asked_of_a_mirror_too(
    serve, prepare, monkeypatch, tmp_path: Path
) -> None:
    rows = dict(corpora.CORPORA)
    server = serve["arctic"]
    monkeypatch.setitem(corpora.CORPORA, "arctic", rows["arctic"])
    line = refusal(prepare("arctic", server))
    # The sum of the archive of festvox.org, as torchaudio.datasets.CMUARCTIC has it.
    published = "7c173297916acf3cc7fcab2713be4c60b27312316765a90934651d367226b4ea"
    assert f"expected {published}, the published value" in line
    assert tree(tmp_path) == {"corpus/lock"}


UNFIT = {
    "climbs": ({"../SF1/100001.wav": b"x"}, "has a member outside of its folder, '../SF1/1"),
    "absolute": ({"/SF1/100001.wav": b"x"}, "has a member outside of its folder, '/SF1/1"),
    "other": ({"elsewhere/a.wav": b"x"}, "lacks train recordings of SF1; expected .../SF1/*.wav,"),
    "empty": ({}, "lacks train recordings of SF1"),
    "twice": ({"a/SF1/1.wav": b"x", "b/SF1/1.wav": b"y"}, "has two files SF1/1.wav"),
}


@pytest.mark.parametrize("unfit", UNFIT)
def test_an_archive_that_is_not_what_was_expected_is_not_kept(
    unfit: str, serve, prepare, voices, tmp_path: Path
) -> None:
    server, (files, said) = serve["vcc2016"], UNFIT[unfit]
    right, server.files["vcc2016_training.zip"] = (
        server.files["vcc2016_training.zip"],
        zipped(files),
    )
    line = refusal(prepare("vcc2016", server))
    assert f"{server.url}vcc2016_training.zip: it {said}" in line
    assert tree(tmp_path) == {"corpus/lock"}
    server.files["vcc2016_training.zip"] = right
    assert prepare("vcc2016", server).returncode == 0
    assert wavs(tmp_path / "corpus") == expected_wavs("vcc2016", voices)


def test_a_link_out_of_the_folder_is_refused(
    serve, prepare, voices, tmp_path: Path, monkeypatch
) -> None:
    server, name = serve["arctic"], "cmu_us_slt_arctic.tar.bz2"
    secret = tmp_path / "secret"
    secret.write_text("mine")
    files = {f"cmu_us_slt_arctic/wav/{each}.wav": b"x" for side in NAMES["arctic"] for each in side}
    server.files[name] = tarred(files, {"cmu_us_slt_arctic/wav/arctic_a0002.wav": str(secret)})
    row = corpora.CORPORA["arctic"]
    free = tuple(replace(each, sha256=None) for each in row.archives)
    monkeypatch.setitem(corpora.CORPORA, "arctic", replace(row, archives=free))
    line = refusal(prepare("arctic", server))
    assert "has a link that leads out of its folder, 'cmu_us_slt_arctic/wav/arctic_a0002" in line
    assert tree(tmp_path) == {"corpus/lock", "secret"}


def test_an_arctic_archive_without_the_held_out_sentences_is_refused(
    serve, prepare, tmp_path: Path, monkeypatch
) -> None:
    server, row = serve["arctic"], corpora.CORPORA["arctic"]
    server.files["cmu_us_slt_arctic.tar.bz2"] = tarred({"a/wav/arctic_a0001.wav": b"x"})
    free = tuple(replace(each, sha256=None) for each in row.archives)
    monkeypatch.setitem(corpora.CORPORA, "arctic", replace(row, archives=free))
    assert "it lacks held_out recordings of slt" in refusal(prepare("arctic", server))
    assert tree(tmp_path) == {"corpus/lock"}


@pytest.mark.parametrize("after", [0, 1, 4, 9])
def test_a_disk_that_fills_up_while_unpacking(
    after: int, serve, prepare, voices, tmp_path: Path, monkeypatch
) -> None:
    server = serve["vcc2016"]
    copied = []

    def copy(source, file) -> None:
        file.write(source.read(100))
        if len(copied) == after:
            raise OSError(errno.ENOSPC, "No space left on device")
        copied.append(file.name)
        file.write(source.read())

    with monkeypatch.context() as patch:
        patch.setattr(archives.shutil, "copyfileobj", copy)
        line = refusal(prepare("vcc2016", server))
    folder = tmp_path / "corpus"
    assert f"--corpus_dir {folder} cannot be written (No space left on device)" in line
    assert wavs(folder) == {} and not list(folder.glob("*/S*")) and len(copied) == after
    assert prepare("vcc2016", server).returncode == 0
    assert wavs(folder) == expected_wavs("vcc2016", voices)
    assert server.asked == list(server.files)


def command(corpus: str, server: Server, tmp_path: Path) -> list[str]:
    verb = [sys.executable, "-m", "cyclegan_vc_tf", "prepare"]
    return verb + arguments(corpus, server, tmp_path)


def test_a_download_that_the_system_cuts_at_a_size(serve, prepare, voices, tmp_path: Path) -> None:
    """A limit of 32 KiB per file simulates a full disk."""
    server = serve["vcc2016"]
    assert len(server.files["vcc2016_training.zip"]) > 40_000
    line = shlex.join(command("vcc2016", server, tmp_path))
    limited = ["bash", "-c", f"ulimit -f 32; exec {line}"]
    done = subprocess.run(limited, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert f"--corpus_dir {tmp_path}/corpus cannot be written (File too large)" in refusal(done)
    assert tree(tmp_path) == {"corpus/lock"}
    assert prepare("vcc2016", server).returncode == 0
    assert wavs(tmp_path / "corpus") == expected_wavs("vcc2016", voices)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_call_that_is_stopped_in_a_download(
    number: int, serve, prepare, voices, tmp_path: Path
) -> None:
    server, folder = serve["vcc2016"], tmp_path / "corpus"
    server.trouble = "stalled"
    with subprocess.Popen(
        command("vcc2016", server, tmp_path), cwd=REPOSITORY, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert server.half_sent.wait(60)
        while not any("partial" in name for name in tree(folder)):
            time.sleep(0.02)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    left = {name for name in tree(folder) if name != "lock"}
    if number == signal.SIGTERM:
        assert process.returncode == 128 + number and "stopped" in errors
        assert left == set()
    else:
        assert len(left) == 1 and left.pop().startswith(download.PARTIAL_DIR)
        # As a kill while unpacking leaves it.
        stale = folder / download.PARTIAL_DIR / "train" / "SF1" / "100003.wav"
        stale.parent.mkdir(parents=True)
        stale.write_bytes(b"RIFF")
    server.trouble = ""
    server.go_on.set()
    assert prepare("vcc2016", server).returncode == 0
    assert wavs(folder) == expected_wavs("vcc2016", voices)
    assert not any("partial" in str(path) for path in folder.rglob("*"))


@pytest.mark.parametrize("side", ["train", "held_out"])
def test_a_speaker_of_whom_one_folder_is_missing_is_made_anew(
    side: str, serve, prepare, voices, tmp_path: Path
) -> None:
    """Simulate a kill between the two renames."""
    server = serve["arctic"]
    assert prepare("arctic", server).returncode == 0
    shutil.rmtree(tmp_path / "corpus" / side / "bdl")
    (left,) = (tmp_path / "corpus").glob("[th]*/bdl")
    next(left.iterdir()).write_bytes(b"")
    assert prepare("arctic", server).returncode == 0
    assert wavs(tmp_path / "corpus") == expected_wavs("arctic", voices)


def test_what_is_refused_before_any_download(serve, prepare, tmp_path: Path) -> None:
    server = serve["vcc2016"]

    def said(*more: str) -> str:
        return refusal(prepare("vcc2016", server, *more))

    assert "--speakers has 'SF9', who is not a speaker of vcc2016; expected two of SF1, SF2, " in (
        said("--speakers=SF1,SF9")
    )
    for speakers in ("SF1", "SF1,SF1", "SF1,TF1,TF2"):
        assert f"--speakers is {speakers}; expected source and target, two speakers of vcc2016" in (
            said(f"--speakers={speakers}")
        )
    assert "--corpus is 'vctk'; expected one of vcc2016, vcc2018, arctic" in said("--corpus=vctk")
    assert "expected no --target_dir" in said(f"--target_dir={tmp_path}")
    assert "--corpus_url is 'file:///srv'; expected an address that begins with http" in said(
        "--corpus_url=file:///srv"
    )
    assert "expected less than --f0_ceiling_hz" in said("--f0_floor_hz=300", "--f0_ceiling_hz=200")
    for flag in ("--speakers=SF1,TF2", "--corpus_dir=x", "--corpus_url=http://x"):
        assert "go with --corpus" in refusal(run_here("prepare", flag))
    assert server.asked == [] and tree(tmp_path) == set()
    (tmp_path / "corpus").write_text("thesis")
    assert f"--corpus_dir {tmp_path}/corpus cannot be written" in said()
    assert (tmp_path / "corpus").read_text() == "thesis"


def test_by_default_it_is_in_the_user_s_data_folder(serve, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    server = serve["arctic"]
    done = run_here(
        "prepare", "--corpus=arctic", f"--corpus_url={server.url}", "--f0_method=dio",
        f"--features_dir={tmp_path}/features",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "data" / "cyclegan_vc_tf" / "arctic"
    assert f"--source_dir={folder}/train/slt" in done.stdout and wavs(folder)
