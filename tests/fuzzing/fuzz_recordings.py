"""Strategy of recordings in many containers, whole and damaged."""

import io
import struct
from dataclasses import dataclass

import numpy as np
import soundfile
from conftest import voice
from fuzz_mutations import damaged_bytes
from hypothesis import strategies as st

from cyclegan_vc_tf.audio import audio_files

CODINGS = (
    ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"),
    ("WAV", "ULAW"), ("WAV", "ALAW"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610"),
    ("WAVEX", "PCM_16"), ("WAVEX", "FLOAT"), ("RF64", "PCM_16"), ("W64", "PCM_16"),
    ("AIFF", "PCM_16"), ("AIFF", "PCM_24"), ("AIFF", "FLOAT"), ("AU", "PCM_16"), ("AU", "ULAW"),
    ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"), ("VOC", "PCM_16"), ("NIST", "PCM_16"),
)  # fmt: skip

LOSSLESS = ("PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ALAC_16")

ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".aiff", ".au", ".caf", ".w64", ".rf64", ".voc", ".sph")

JUNK_CHUNK = b"JUNK" + struct.pack("<I", 27) + b"x" * 28
LIST_CHUNK = b"LIST" + struct.pack("<I", 18) + b"INFOISFT\x06\0\0\0Lavf\0\0"
ID3_TAG = b"ID3\x04\0\0\0\0\x02\x01" + bytes(257)


@dataclass(frozen=True, repr=False)
class Case:
    """File of a recording, and its samples where it has to be read right."""

    label: str
    content: bytes
    ending: str
    rate_hz: int
    samples: np.ndarray | None

    def __repr__(self) -> str:
        """Return the label and the beginning of the file."""
        return f"Case({self.label}, {len(self.content)} bytes: {self.content[:200]!r}…)"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return a recording of a fifth of a second in a container, mostly damaged."""
    container, coding = draw(st.sampled_from(CODINGS))
    rate_hz = draw(st.sampled_from((8_000, 16_000, 22_050, 44_100, 48_000)))
    channels = draw(st.sampled_from((1, 1, 2, 3, 6)))
    if coding in ("GSM610", "OPUS", "MPEG_LAYER_III", "IMA_ADPCM"):
        channels = min(channels, 1)
    if coding == "OPUS":
        rate_hz = 48_000
    seconds = draw(st.sampled_from((0.0, 0.001, 0.2, 0.2, 0.2)))
    mono = voice(140.0, max(seconds, 0.01), 3, rate_hz)[: round(seconds * rate_hz)]
    samples = np.repeat(mono[:, None], channels, axis=1)
    if coding in ("FLOAT", "DOUBLE"):
        odd = draw(st.sampled_from((None, None, np.nan, np.inf, 1e30, 3e38, 1e-40)))
        if odd is not None and len(samples):
            samples[draw(st.integers(0, len(samples) - 1)), :] = odd
    file = io.BytesIO()
    try:
        soundfile.write(file, samples, rate_hz, coding, format=container)
    except soundfile.SoundFileError:
        # The container has no such rate or number of channels.
        file = io.BytesIO()
        soundfile.write(file, mono, rate_hz, "PCM_16", format="WAV")
        container, coding = "WAV", "PCM_16"
    content, ending = file.getvalue(), draw(st.sampled_from(ENDINGS))
    label = f"{container} {coding} {rate_hz} Hz"
    change = draw(st.sampled_from(("none", "chunk", "tag", "twice", *["damage"] * 8, "header")))
    is_exact = coding in LOSSLESS and (np.abs(samples) <= audio_files.MAX_PEAK).all()
    exact = samples[:, 0] if is_exact else None
    if change == "chunk" and container in ("WAV", "WAVEX"):
        chunk = draw(st.sampled_from((JUNK_CHUNK, LIST_CHUNK)))
        content = content[:12] + chunk + content[12:]
    elif change == "tag":
        content, exact = ID3_TAG + content, None
    elif change == "twice":
        content, exact = content * 2, None
    elif change == "header":
        # Rate and channels of a wav file.
        wide = struct.pack("<HI", draw(st.sampled_from((0, 1, 2, 1000, 1024, 4000, 65_535))), draw(
            st.sampled_from((0, 1, 3, 999, 1000, 96_000, 10**6, 2**31 - 1, 4 * 10**9, 2**32 - 1))
        ))  # fmt: skip
        content, exact = content[:22] + wide + content[28:], None
    elif change == "damage":
        content, exact = draw(damaged_bytes(content)), None
    return Case(f"{label}, {change}", content, ending, rate_hz, exact)
