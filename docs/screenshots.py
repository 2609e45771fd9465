"""Make the pictures of the web page for the documents, in Chromium.

    python docs/screenshots.py

It serves the page from a temporary folder, converts a sentence of the demo corpus, converts it live
from a microphone that plays it, begins a small training on the demo corpus, and saves
docs/images/web-convert.png, web-live.png, web-train.png and web-runs.png. Chromium has to
be on the PATH; nothing is downloaded.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile
from absl import app, flags
from playwright.sync_api import Page, expect, sync_playwright

REPOSITORY = Path(__file__).parents[1]
IMAGES = Path(__file__).parent / "images"
CHROMIUM = shutil.which("chromium") or "chromium"
SENTENCE = REPOSITORY / "data" / "demo" / "held_out" / "heart" / "089.flac"
WAIT_MS = 1_800_000
TRAINING = flags.DEFINE_string(
    "training",
    "--channels=16 --batch_size=2 --crop_frames=64 --inca_iterations=0 --log_every=5 "
    "--convert_every=100 --checkpoint_every=100 --steps=1000",
    "Flags of the training beside the preset demo; small, because it is only looked at.",
)
LIVE_SECONDS = flags.DEFINE_integer("live_seconds", 20, "Length of the live conversion.")
TABS = flags.DEFINE_list(
    "tabs", ["convert", "live", "train", "runs"], "Pictures to make, in order."
)


def write_spoken(folder: Path) -> Path:
    """Write the sentence as a wav file, which Chromium's microphone plays."""
    samples, rate_hz = soundfile.read(SENTENCE)
    soundfile.write(folder / "spoken.wav", samples, rate_hz)
    return folder / "spoken.wav"


def convert(page: Page) -> None:
    """Convert a sentence."""
    page.set_input_files("#convert-files input[type=file]", str(SENTENCE))
    expect(page.locator("#convert-files")).to_contain_text("089", timeout=WAIT_MS)
    page.click("#convert-start")
    expect(page.locator("#convert-f0-contours img")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#convert-converted .timestamps")).to_be_visible(timeout=WAIT_MS)


def live(page: Page) -> None:
    """Convert live for some seconds, and print the measurements."""
    page.get_by_role("tab", name="Live", exact=True).click()
    expect(page.locator("#live-direction label")).to_have_count(2, timeout=WAIT_MS)
    page.click("#live-start")
    expect(page.locator("#live-state")).to_contain_text("Converting", timeout=WAIT_MS)
    page.wait_for_timeout(1000 * LIVE_SECONDS.value)
    print(page.inner_text("#live-panel"))


def train(page: Page) -> None:
    """Train on the demo corpus until there are samples."""
    page.get_by_role("tab", name="Train", exact=True).click()
    page.get_by_label("Name of the new run").fill("demo")
    page.locator("#train-preset input").click()
    page.get_by_role("option", name="demo: demo corpus, minutes").click()
    page.locator("button:visible", has_text="More").click()
    page.get_by_label("Further flags").fill(TRAINING.value)
    page.locator("button:visible", has_text="More").click()
    page.click("#train-start")
    progress = page.locator("#train-progress")
    expect(page.locator("#train-spectrograms img")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#train-converted .timestamps")).to_be_visible(timeout=WAIT_MS)
    expect(progress).to_contain_text(re.compile("running: step|finished"), timeout=WAIT_MS)


def runs(page: Page) -> None:
    """Show a run."""
    page.get_by_role("tab", name="Runs", exact=True).click()
    facts = page.locator("#runs-facts pre")
    expect(facts).to_be_visible(timeout=WAIT_MS)
    # The pictures do not show where this repository lies.
    facts.evaluate(
        "(facts, folder) => { facts.textContent = facts.textContent.replaceAll(folder + '/', '')"
        ".replace(/\\/\\S*\\/runs\\//, 'runs/'); }",
        str(REPOSITORY),
    )


def main(argv: list[str]) -> None:
    """Make the pictures."""
    del argv
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "cyclegan_vc_tf",
                "web",
                "--port=0",
                f"--runs_dir={folder}/runs",
            ],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None  # noqa: S101
            address = server.stdout.readline().removeprefix("Page: ").strip()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=CHROMIUM,
                    args=[
                        "--no-sandbox",
                        "--disable-gpu",
                        "--disable-background-networking",
                        "--use-fake-device-for-media-stream",
                        "--use-fake-ui-for-media-stream",
                        f"--use-file-for-fake-audio-capture={write_spoken(Path(folder))}",
                    ],
                )
                page = browser.new_page(viewport={"width": 1200, "height": 800})
                page.set_default_timeout(WAIT_MS)
                page.goto(address)
                expect(page.locator("#convert-direction label")).to_have_count(2, timeout=WAIT_MS)
                for name in TABS.value:
                    {"convert": convert, "live": live, "train": train, "runs": runs}[name](page)
                    page.wait_for_timeout(3000)
                    page.screenshot(path=IMAGES / f"web-{name}.png", full_page=True)
                if page.locator("#train-stop").count() and "train" in TABS.value:
                    page.get_by_role("tab", name="Train", exact=True).click()
                    page.click("#train-stop")
                browser.close()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    app.run(main)
