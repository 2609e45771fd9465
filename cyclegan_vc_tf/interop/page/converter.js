// Conversion of samples: analysis, generator, vocoder. Runs in a worker, or in a page.

import * as ort from "./onnxruntime-web/ort.wasm.min.mjs";
import { griffinLim } from "./griffin_lim.js";
import { findGain, isSilent, splitAtQuiet } from "./levels.js";
import { sourceFilter } from "./source_filter.js";
import { logMel } from "./spectra.js";

ort.env.wasm.wasmPaths = new URL("./onnxruntime-web/", import.meta.url).href;
// Several threads need headers that few servers send.
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

async function fetchFile(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} cannot be loaded (${answer.status})`);
  return answer.arrayBuffer();
}

export class Converter {
  // Loads the settings of the page and the mel filters.
  static async load() {
    const settings = JSON.parse(new TextDecoder().decode(await fetchFile("page.json")));
    const [filters, inverse] = await Promise.all(["mel_filters.f32", "inverse_filters.f32"].map(fetchFile));
    return new Converter(settings, new Float32Array(filters), new Float32Array(inverse));
  }

  constructor(settings, filters, inverseFilters) {
    Object.assign(this, { settings, filters, inverseFilters });
    this.sessions = new Map();
  }

  // Opens an ONNX file of the page, once.
  async open(file) {
    if (!this.sessions.has(file)) {
      const graph = new Uint8Array(await fetchFile(file));
      this.sessions.set(file, await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] }));
    }
    return this.sessions.get(file);
  }

  // Runs an ONNX file with one input and one output.
  async run(file, data, shape) {
    const session = await this.open(file);
    const outputs = await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", data, shape) });
    return outputs[session.outputNames[0]].data;
  }

  // Computes an output of a source-filter vocoder.
  async runSourceFilter(spectra, excitation, output) {
    const { vocoder, bins } = this.settings;
    const session = await this.open(vocoder.file);
    const feeds = {
      features: new ort.Tensor("float32", spectra, [spectra.length / bins, bins]),
      excitation: new ort.Tensor("float32", excitation, [excitation.length / 2, 2]),
    };
    return (await session.run(feeds, [output]))[output].data;
  }

  analyse(samples) {
    return logMel(samples, this.settings, this.filters);
  }

  // Converts log-mel spectra, (frames, bins) float32.
  async convertSpectra(spectra, direction) {
    const { bins, directions } = this.settings;
    const { file } = directions.find((each) => each.direction === direction);
    const converted = await this.run(file, spectra, [spectra.length / bins, bins]);
    if (!converted.every(Number.isFinite)) {
      throw new Error("the model made NaN or infinite values; it is not usable");
    }
    return converted;
  }

  // Synthesizes samples, (frames · hop,), from log-mel spectra.
  async synthesize(spectra, report) {
    const { settings, inverseFilters } = this;
    const { vocoder, bins, hop_samples: hop } = settings;
    if (vocoder.name === "griffin_lim") return griffinLim(spectra, settings, inverseFilters, vocoder, report);
    if (vocoder.name === "source_filter") {
      return sourceFilter(spectra, settings, (...inputs) => this.runSourceFilter(...inputs), report);
    }
    const frames = spectra.length / bins;
    const samples = new Float32Array(frames * hop);
    let source = spectra;
    if (frames < vocoder.min_frames) {
      const last = spectra.subarray((frames - 1) * bins);
      source = new Float32Array(vocoder.min_frames * bins);
      for (let frame = 0; frame < vocoder.min_frames; frame++) source.set(last, frame * bins);
      source.set(spectra);
    }
    const total = source.length / bins;
    for (let start = 0; start < frames; start += vocoder.chunk_frames) {
      const stop = Math.min(start + vocoder.chunk_frames, frames);
      const first = Math.max(start - vocoder.context_frames, 0);
      const last = Math.min(Math.max(stop + vocoder.context_frames, vocoder.min_frames), total);
      const chunk = source.slice(first * bins, last * bins);
      const made = await this.run(vocoder.file, chunk, [last - first, bins]);
      samples.set(made.subarray((start - first) * hop, (stop - first) * hop), start * hop);
      report(stop / frames);
    }
    return samples;
  }

  // Returns the frequency above which the loudest frames are below the average of the training; null
  // if there is none. One frame of twenty may be louder: a click has every frequency.
  findLimitHz(spectra, direction) {
    const { bins, directions, band_centres_hz: centres, sample_rate_hz: rate } = this.settings;
    const { mean } = directions.find((each) => each.direction === direction);
    const frames = spectra.length / bins;
    let band = bins;
    while (band > 0) {
      const values = Float32Array.from({ length: frames }, (_, frame) => spectra[frame * bins + band - 1]);
      if (values.sort()[Math.floor(0.95 * (frames - 1))] >= mean[band - 1]) break;
      band--;
    }
    return band < bins && centres[band] < 0.45 * rate ? centres[band] : null;
  }

  // Converts a recording of any length at the page's sampling rate.
  //
  // Returns samples of the same length, and warnings. Silence, and a piece of fewer frames than the
  // generator takes, stays as it is.
  async convert(samples, direction, report = () => {}) {
    const { settings } = this;
    const about = settings.directions.find((each) => each.direction === direction);
    const gain = findGain(samples, about.level_dbfs, settings);
    const converted = Float32Array.from(samples);
    const limits = [];
    const pieces = splitAtQuiet(samples, settings);
    for (const [number, [begin, end]] of pieces.entries()) {
      const piece = converted.subarray(begin, end);
      const isShort = Math.ceil(piece.length / settings.hop_samples) < settings.min_frames;
      if (!isShort && !isSilent(piece, settings)) {
        const spectra = this.analyse(piece.map((sample) => sample * gain));
        limits.push(this.findLimitHz(spectra, direction));
        const made = await this.synthesize(await this.convertSpectra(spectra, direction), (share) =>
          report((number + share) / pieces.length),
        );
        piece.set(made.subarray(0, piece.length).map((sample) => sample / gain));
      }
      report((number + 1) / pieces.length);
    }
    const warnings = [];
    if (limits.length && !limits.includes(null)) {
      const limit = (Math.max(...limits) / 1000).toFixed(1);
      warnings.push(
        `The recording has little above ${limit} kHz, unlike those that the model was trained with. ` +
          "The conversion may sound rough; convert.py estimates what is missing.",
      );
    }
    return { samples: converted, warnings };
  }
}
