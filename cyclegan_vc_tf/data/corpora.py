"""Table of public corpora of parallel speech: addresses, licences, speakers, held-out parts.

`docs/guides/public_corpora.md` gives the source of each of these facts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from cyclegan_vc_tf.system.errors import InputError, join_names

TRAIN, HELD_OUT = "train", "held_out"
SIDES = (TRAIN, HELD_OUT)
"""Names of the two folders of a corpus, each with one folder per speaker."""


@dataclass(frozen=True)
class Archive:
    """One published file of a corpus.

    Attributes:
        name: Name of the file.
        speakers: Speakers with recordings in it.
        folder: Name of the folder inside the archive that holds a speaker's recordings; empty if it
            is the speaker's name.
        first_held_out: Name, without ending, from which on recordings are held out; empty for all
            recordings, None for no recordings.
        sha256: SHA-256 that others have published; None if no such value is known.
    """

    name: str
    speakers: tuple[str, ...]
    folder: str = ""
    first_held_out: str | None = None
    sha256: str | None = None

    @property
    def sides(self) -> set[str]:
        """Sides of a speaker's recordings in this archive: `TRAIN`, `HELD_OUT` or both."""
        return {TRAIN, HELD_OUT} if self.first_held_out else {self.side_of("")}

    def side_of(self, name: str) -> str:
        """Return the side of a recording: `TRAIN` or `HELD_OUT`.

        Args:
            name: Name of the recording, without ending.
        """
        is_held_out = self.first_held_out is not None and name >= self.first_held_out
        return HELD_OUT if is_held_out else TRAIN


@dataclass(frozen=True)
class Corpus:
    """A public corpus.

    Attributes:
        name: Value of `--corpus` for this corpus.
        title: Full name.
        page: Address of its web page.
        url: Common beginning of the addresses of its archives.
        licence: Licence.
        citation: Publication to cite.
        default_pair: Source and target speaker if `--speakers` is not given.
        archives: Published files.
    """

    name: str
    title: str
    page: str
    url: str
    licence: str
    citation: str
    default_pair: tuple[str, str]
    archives: tuple[Archive, ...]

    @property
    def speakers(self) -> tuple[str, ...]:
        """All speakers, in the order of the archives."""
        return tuple(dict.fromkeys(chain(*(archive.speakers for archive in self.archives))))

    def archives_of(self, speakers: Sequence[str]) -> list[Archive]:
        """Return the archives with recordings of any of `speakers`."""
        return [archive for archive in self.archives if set(archive.speakers) & set(speakers)]

    def describe(self) -> str:
        """Return the corpus' licence and citation, for its users."""
        return f"{self.title}, {self.page}\nLicence: {self.licence}\nCite: {self.citation}"

    def pair(self, speakers: Sequence[str]) -> tuple[str, str]:
        """Return source and target speaker: those given, or the default pair.

        Raises:
            InputError: The speakers are not two, or are not in this corpus.
        """
        if not speakers:
            return self.default_pair
        known = self.speakers
        for speaker in speakers:
            if speaker not in known:
                raise InputError(
                    f"--speakers has {speaker!r}, who is not a speaker of {self.name}; expected "
                    f"two of {join_names(known, len(known))}"
                )
        if len(set(speakers)) != 2 or len(speakers) != 2:
            raise InputError(
                f"--speakers is {','.join(speakers)}; expected source and target, two speakers of "
                f"{self.name} such as {','.join(self.default_pair)}"
            )
        return speakers[0], speakers[1]


_VCC2016 = ("SF1", "SF2", "SF3", "SM1", "SM2", "TF1", "TF2", "TM1", "TM2", "TM3")
_VCC2018_SOURCES = tuple(
    f"VCC2S{name}" for name in ("F1", "F2", "F3", "F4", "M1", "M2", "M3", "M4")
)
_VCC2018_TARGETS = ("VCC2TF1", "VCC2TF2", "VCC2TM1", "VCC2TM2")
_ARCTIC = {
    "slt": "7c173297916acf3cc7fcab2713be4c60b27312316765a90934651d367226b4ea",
    "bdl": "26b91aaf48b2799b2956792b4632c2f926cd0542f402b5452d5adecb60942904",
    "clb": "3f16dc3f3b97955ea22623efb33b444341013fc660677b2e170efdcc959fa7c6",
    "rms": "c6dc11235629c58441c071a7ba8a2d067903dfefbaabc4056d87da35b72ecda4",
    "awb": "d74a950c9739a65f7bfc4dfa6187f2730fa03de5b8eb3f2da97a51b74df64d3c",
    "jmk": "3a37c0e1dfc91e734fdbc88b562d9e2ebca621772402cdc693bbc9b09b211d73",
    "ksp": "8029cafce8296f9bed3022c44ef1e7953332b6bf6943c14b929f468122532717",
}
"""SHA-256 of each speaker's archive, published in torchaudio's `CMUARCTIC` and elsewhere."""

CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            name="vcc2016",
            title="The Voice Conversion Challenge 2016 database",
            page="https://doi.org/10.7488/ds/1575",
            url="https://datashare.ed.ac.uk/bitstream/handle/10283/2211",
            licence="Creative Commons Attribution 4.0, https://creativecommons.org/licenses/by/4.0/",
            citation="T. Toda, L.-H. Chen, D. Saito, F. Villavicencio, M. Wester, Z. Wu, "
            "J. Yamagishi: The Voice Conversion Challenge 2016. Interspeech 2016.",
            default_pair=("SF1", "TF2"),
            archives=(
                Archive("vcc2016_training.zip", _VCC2016),
                Archive("evaluation_all.zip", _VCC2016, first_held_out=""),
            ),
        ),
        Corpus(
            name="vcc2018",
            title="The Voice Conversion Challenge 2018 database",
            page="https://doi.org/10.7488/ds/2337",
            url="https://datashare.ed.ac.uk/bitstream/handle/10283/3061",
            licence="Creative Commons Attribution 4.0, https://creativecommons.org/licenses/by/4.0/",
            citation="J. Lorenzo-Trueba, J. Yamagishi, T. Toda, D. Saito, F. Villavicencio, "
            "T. Kinnunen, Z. Ling: The Voice Conversion Challenge 2018: Promoting Development of "
            "Parallel and Nonparallel Methods. Odyssey 2018, arXiv:1804.04262. Its authors ask for "
            "two papers of 2016 as well, which docs/guides/public_corpora.md names.",
            default_pair=("VCC2SF3", "VCC2TM1"),
            archives=(
                Archive("vcc2018_database_training.zip", _VCC2018_SOURCES + _VCC2018_TARGETS),
                Archive("vcc2018_database_evaluation.zip", _VCC2018_SOURCES, first_held_out=""),
                Archive("vcc2018_database_reference.zip", _VCC2018_TARGETS, first_held_out=""),
            ),
        ),
        Corpus(
            name="arctic",
            title="CMU ARCTIC",
            page="http://festvox.org/cmu_arctic/",
            url="http://festvox.org/cmu_arctic/packed",
            licence="free for any purpose, commercial or otherwise; keep the notice of Carnegie "
            "Mellon University and the authors' names, mark changes (COPYING in each archive)",
            citation="J. Kominek, A. W. Black: CMU ARCTIC databases for speech synthesis. "
            "CMU-LTI-03-177, Carnegie Mellon University, 2003.",
            default_pair=("slt", "bdl"),
            archives=tuple(
                Archive(f"cmu_us_{name}_arctic.tar.bz2", (name,), "wav", "arctic_b0490", sha256)
                for name, sha256 in _ARCTIC.items()
            ),
        ),
    )
}


def find_corpus(name: str) -> Corpus:
    """Return a corpus by its name, the value of `--corpus`.

    Raises:
        InputError: No corpus has this name.
    """
    if name not in CORPORA:
        raise InputError(f"--corpus is {name!r}; expected one of {join_names(list(CORPORA))}")
    return CORPORA[name]
