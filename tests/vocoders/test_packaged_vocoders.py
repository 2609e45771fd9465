"""Vocoders that come with the package, against WORLD and the recordings."""

import functools
import re

import numpy as np
import pytest

import cyclegan_vc_tf as vc
from cyclegan_vc_tf import api
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features import frontend, log_mel, world
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.vocoders import selection, vocoder_folders

MEL = FeatureConfig(spectra="log_mel")
DIO = FeatureConfig(f0_method="dio")


@functools.cache
def recording(voice: str) -> np.ndarray:
    """A sentence that no vocoder was trained with."""
    return audio_files.read(vc.demo_corpus_dir() / "held_out" / voice / "089.flac")[0]


def synthesize(voice: str, features: FeatureConfig, vocoder: VocoderConfig) -> np.ndarray:
    samples = recording(voice)
    vocode = selection.make_vocoder(features, vocoder)
    return vocode(frontend.analyse(samples, features), len(samples))


@functools.cache
def distance_db(voice: str, name: str) -> float:
    """Mean distance of log-mel spectra from the recording's; without a name, that of WORLD."""
    features, vocoder = DIO, VocoderConfig()
    if name:
        folder = vocoder_folders.find(f"pretrained:{name}")
        features = vocoder_folders.read_settings(folder)[0]
        vocoder = VocoderConfig(vocoder=f"pretrained:{name}")
    found = log_mel.log_mel(synthesize(voice, features, vocoder), MEL)
    return float(20 * np.abs(found - log_mel.log_mel(recording(voice), MEL)).mean())


def test_there_is_one_for_each_kind_of_spectra() -> None:
    spectra = {
        name: vocoder_folders.read_settings(vocoder_folders.find(f"pretrained:{name}"))[0].spectra
        for name in vocoder_folders.names()
    }
    assert spectra == {"vocoder-demo": "log_mel", "vocoder-demo-world": "mel_cepstra"}
    assert sum(path.stat().st_size for path in vocoder_folders.MODELS_DIR.rglob("*")) < 6e6


@pytest.mark.parametrize("voice", ["heart", "michael"])
@pytest.mark.parametrize("name", vocoder_folders.names())
def test_its_speech_is_nearer_to_the_recording_than_worlds(name: str, voice: str) -> None:
    """WORLD with 24 mel-cepstra is 3.2 and 3.1 dB away, the vocoders 2.4 to 2.7."""
    assert distance_db(voice, name) < distance_db(voice, "") - 0.3


@pytest.mark.parametrize("name", vocoder_folders.names())
def test_f0_is_that_of_the_recording(name: str) -> None:
    folder = vocoder_folders.find(f"pretrained:{name}")
    features = vocoder_folders.read_settings(folder)[0]
    made = synthesize("heart", features, VocoderConfig(vocoder=f"pretrained:{name}"))
    found_hz, true_hz = (world.f0(wave, DIO)[0] for wave in (made, recording("heart")))
    both = (found_hz > 0) & (true_hz > 0)
    assert both.mean() > 0.3
    assert np.abs(np.log(found_hz[both] / true_hz[both])).mean() < 0.05


def test_the_card_names_a_run_that_it_fits() -> None:
    """The command of the card of the vocoder of mel-cepstra."""
    folder = vocoder_folders.find("pretrained:vocoder-demo-world")
    (name,) = re.findall(r"convert\.py --run_dir=(\S+)", (folder / "card.md").read_text())
    run = run_folder.open_run(api.find_run(name))
    assert vocoder_folders.fits(folder, run.config.features)
