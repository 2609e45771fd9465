// The page: choices, progress, players. The conversion itself runs in worker.js.

import { encodeWav } from "./wav.js";

const find = (id) => document.getElementById(id);
const names = { A2B: "A to B", B2A: "B to A" };

let settings = null;
let worker = null;
let addresses = [];

function say(text, isProblem = false) {
  find("status").textContent = text;
  find("status").classList.toggle("problem", isProblem);
}

function setBusy(isBusy) {
  find("convert").disabled = isBusy || !settings;
  find("stop").hidden = !isBusy;
  find("progress").hidden = !isBusy;
  find("progress").value = 0;
}

function fail(text) {
  stopWorker();
  setBusy(false);
  say(text, true);
}

function stopWorker() {
  worker?.terminate();
  worker = null;
}

// Returns the samples of a file, (samples,) at the page's rate, mono.
async function decode(file) {
  const bytes = await file.arrayBuffer();
  // The context's rate is that of its decoded sound.
  const context = new OfflineAudioContext(1, 1, settings.sample_rate_hz);
  const sound = await context.decodeAudioData(bytes);
  const samples = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    sound.getChannelData(channel).forEach((sample, n) => (samples[n] += sample / sound.numberOfChannels));
  }
  return samples;
}

function convertInWorker(samples, direction) {
  return new Promise((resolve, reject) => {
    worker ??= new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    worker.onerror = (event) => reject(new Error(event.message || "worker.js cannot be loaded"));
    worker.onmessage = ({ data }) => {
      if (data.kind === "progress") find("progress").value = data.share;
      if (data.kind === "converted") resolve(data);
      if (data.kind === "failed") reject(new Error(data.reason));
    };
    worker.postMessage({ samples, direction }, [samples.buffer]);
  });
}

function show(file, converted) {
  addresses.forEach((address) => URL.revokeObjectURL(address));
  const { bytes, peak } = encodeWav(converted.samples, settings.sample_rate_hz);
  const wav = new Blob([bytes], { type: "audio/wav" });
  addresses = [file, wav].map((each) => URL.createObjectURL(each));
  [find("source").src, find("converted").src] = addresses;
  find("download").href = addresses[1];
  find("download").download = `${file.name.replace(/\.[^.]*$/, "")}-converted.wav`;
  const warnings = [...converted.warnings];
  if (peak > 1) warnings.push(`The result had a peak of ${peak.toFixed(2)} and was scaled down; full scale is 1.`);
  find("warnings").replaceChildren(
    ...warnings.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
  find("warnings").hidden = !warnings.length;
  find("result").hidden = false;
}

async function convert(event) {
  event.preventDefault();
  const [file] = find("recording").files;
  if (!file || !settings) return;
  setBusy(true);
  find("result").hidden = true;
  find("warnings").hidden = true;
  say(`Reading ${file.name}.`);
  let samples;
  try {
    samples = await decode(file);
  } catch {
    return fail(`${file.name} cannot be decoded by this browser; choose a recording such as wav, flac or mp3.`);
  }
  if (!samples.length) return fail(`${file.name} has no sound; choose another recording.`);
  const seconds = samples.length / settings.sample_rate_hz;
  say(`Converting ${seconds.toFixed(1)} s.`);
  const direction = document.querySelector("input[name=direction]:checked").value;
  const start = performance.now();
  try {
    show(file, await convertInWorker(samples, direction));
  } catch (error) {
    return fail(`The conversion failed: ${error.message}.`);
  }
  setBusy(false);
  const taken = (performance.now() - start) / 1000;
  say(`Converted ${seconds.toFixed(1)} s of ${file.name} in ${taken.toFixed(1)} s.`);
}

async function load() {
  const answer = await fetch("page.json");
  if (!answer.ok) throw new Error(`page.json cannot be loaded (${answer.status})`);
  settings = await answer.json();
  document.title = `${settings.title}: voice conversion`;
  find("title").textContent = settings.title;
  find("licence").textContent = settings.licence ? `Licence: ${settings.licence}` : "";
  find("card").textContent = settings.card;
  settings.directions.forEach(({ direction }, index) => {
    const input = Object.assign(document.createElement("input"), {
      type: "radio", name: "direction", value: direction, checked: index === 0,
    });
    const label = document.createElement("label");
    label.append(input, ` ${names[direction]}`);
    find("directions").append(label);
  });
  setBusy(false);
  say("Choose a recording of speech.");
}

find("form").addEventListener("submit", convert);
find("stop").addEventListener("click", () => fail("Stopped."));
load().catch((error) => fail(`The page cannot be used: ${error.message}.`));
