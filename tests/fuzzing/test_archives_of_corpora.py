"""Archives of corpora, damaged or forged: recordings are unpacked, or nothing is."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import warnings
import zipfile

from fuzz_harness import bounded, case_folder, fuzz, list_tree
from fuzz_mutations import damaged_bytes
from hypothesis import strategies as st

from cyclegan_vc_tf.data import download
from cyclegan_vc_tf.data.corpora import Archive, Corpus
from cyclegan_vc_tf.system.errors import InputError

NAMES = (
    "slt/wav/a.wav", "slt/wav/b.wav", "slt/wav/../../../x.wav", "/slt/wav/c.wav", "wav/d.wav",
    "C:\\wav\\e.wav", "slt/wav/" + "f" * 260 + ".wav", "slt/wav/g\0.wav", "slt/wav/\udcff.wav",
    "slt/wav/.h.wav", "slt/wav", "slt/wav/a.wav/", "", ".", "slt/wav/ä\n.wav", "x/" * 300 + "a.wav",
)  # fmt: skip

CONTENTS = (b"", b"abc", b"abc" * 1000, bytes(1 << 16))

KINDS = (
    "file",
    "file",
    "file",
    "file",
    "file",
    "file",
    "file",
    "file",
    "symlink",
    "hardlink",
    "folder",
    "device",
    "fifo",
    "bomb",
)


@st.composite
def archives(draw: st.DrawFn) -> tuple[str, bytes]:
    """Return name and bytes of an archive."""
    members = draw(st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(KINDS), st.sampled_from(CONTENTS)),
        min_size=1, max_size=5,
    ))  # fmt: skip
    file = io.BytesIO()
    name = draw(st.sampled_from(("a.zip", "a.tar.bz2", "a.tar.gz", "a.tar.xz", "a.tar")))
    if name == "a.zip":
        compression = draw(st.sampled_from((0, 8, 12, 14)))
        with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
            warnings.simplefilter("ignore")
            for member, kind, content in members:
                entry = zipfile.ZipInfo(member.encode(errors="replace").decode() or "x")
                entry.compress_type = compression
                modes = {"symlink": stat.S_IFLNK, "device": stat.S_IFCHR, "fifo": stat.S_IFIFO}
                entry.external_attr = (modes.get(kind, stat.S_IFREG) | 0o644) << 16
                data = bytes(17 << 20) if kind == "bomb" else content
                with archive.open(entry, "w") as output:
                    output.write(b"/etc/passwd" if kind == "symlink" else data)
        content = file.getvalue()
        if draw(st.integers(0, 4)) == 0 and len(content) > 8:
            # The bit of encryption in the first header of a file and in the directory.
            for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
                place = content.find(signature) + offset
                content = content[:place] + b"\1" + content[place + 1 :]
    else:
        kind_of_header = draw(st.sampled_from((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)))
        with tarfile.open(fileobj=file, mode="w", format=kind_of_header) as archive:
            for member, kind, content in members:
                archive.addfile(*_tar_member(member, kind, content))
        compress = {"bz2": bz2.compress, "gz": gzip.compress, "xz": lzma.compress}
        content = compress.get(name.split(".")[-1], bytes)(file.getvalue())
    return name, draw(damaged_bytes(content)) if draw(st.booleans()) else content


def _tar_member(
    name: str, kind: str, content: bytes
) -> tuple[tarfile.TarInfo, io.BytesIO | None]:  # fmt: skip
    """Return a member of a tar file and its content."""
    member = tarfile.TarInfo(name)
    types = {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "folder": tarfile.DIRTYPE,
             "device": tarfile.CHRTYPE, "fifo": tarfile.FIFOTYPE}  # fmt: skip
    if kind in types:
        member.type, member.linkname = types[kind], "../../etc/passwd"
        return member, None
    data = bytes(17 << 20) if kind == "bomb" else content
    member.size = len(data)
    return member, io.BytesIO(data)


def test_archives_are_unpacked_or_nothing_is() -> None:
    def check(case: tuple[str, bytes]) -> None:
        name, content = case
        archive = Archive(name, ("slt",), folder="wav", first_held_out="b")
        corpus = Corpus("c", "C", "page", "http://127.0.0.1:9", "", "", ("slt", "slt"), (archive,))
        with case_folder() as folder:
            (folder / "archives").mkdir()
            (folder / "archives" / name).write_bytes(content)
            with bounded():
                try:
                    download.download_corpus(corpus, ["slt"], folder)
                except InputError as error:
                    assert str(error)
                    found = set(list_tree(folder)) - {f"archives/{name}.sha256"}
                    assert found == {"archives", f"archives/{name}", "lock"}, found
                else:
                    files = list_tree(folder)
                    assert "train/slt" in files and "held_out/slt" in files
                    recordings = [each for each in files if each.endswith(".wav")]
                    assert recordings and all(
                        each.split("/")[:2] in (["train", "slt"], ["held_out", "slt"])
                        for each in recordings
                    )

    fuzz(archives(), check, examples=60)
