// Synthesis by a source-filter vocoder, as cyclegan_vc_tf.vocoders.source_filter_vocoder in Python.
// The noise has other random numbers than Python's.

import { MersenneTwister } from "./griffin_lim.js";

const SEED = 0;

// Returns F0 in Hz per frame, 0 where unvoiced, from scores of its classes and of voicing.
export function decodePitch(scores, { count, min_hz: least, max_hz: most, neighbours }) {
  const logOf = (place) => Math.log(least) + (place * Math.log(most / least)) / (count - 1);
  const frames = scores.length / (count + 1);
  return Float64Array.from({ length: frames }, (_, frame) => {
    const row = scores.subarray(frame * (count + 1), (frame + 1) * (count + 1));
    if (row[count] <= 0) return 0;
    let best = 0;
    for (let place = 1; place < count; place++) if (row[place] > row[best]) best = place;
    let [sum, total] = [0, 0];
    for (let place = Math.max(best - neighbours, 0); place <= Math.min(best + neighbours, count - 1); place++) {
      const share = Math.exp(row[place] - row[best]);
      sum += share * logOf(place);
      total += share;
    }
    return Math.exp(sum / total);
  });
}

// Returns a number of a normal distribution.
//
// Source: Box and Muller, 1958, "A note on the generation of random normal deviates".
function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random.random())) * Math.cos(2 * Math.PI * random.random());
}

// Returns the sum of cosines at all multiples of F0 below the Nyquist frequency, with a power of 1.
function harmonics(f0, turns, rate) {
  const half = Math.PI * (turns - Math.round(turns));
  const count = Math.max(Math.ceil(rate / 2 / Math.max(f0, 1)) - 1, 1);
  const sine = Math.sin(half);
  const isPeak = Math.abs(sine) < 1e-6;
  const ratio = isPeak ? count + 0.5 : Math.sin((2 * count + 1) * half) / (2 * sine);
  return Math.sqrt(2 / count) * (ratio - 0.5);
}

// Returns harmonics and white noise, (frames · hop, 2), for F0 in Hz per frame.
export function excite(f0Hz, { hop_samples: hop, sample_rate_hz: rate }, random = new MersenneTwister(SEED)) {
  const frames = f0Hz.length;
  const made = new Float32Array(frames * hop * 2);
  const firstTurns = random.random();
  let turns = firstTurns;
  let wasVoiced = false;
  for (let n = 0; n < frames * hop; n++) {
    // A frame lies in the middle of its hop.
    const time = (n + 0.5) / hop - 0.5;
    const earlier = Math.floor(time);
    const share = time - earlier;
    const before = f0Hz[Math.max(earlier, 0)];
    const after = f0Hz[Math.min(earlier + 1, frames - 1)];
    const isVoiced = (before > 0 ? 1 - share : 0) + (after > 0 ? share : 0) > 0.5;
    const left = before > 0 ? before : after;
    const right = after > 0 ? after : before;
    const f0 = left + share * (right - left);
    turns = isVoiced && !wasVoiced ? firstTurns : turns + f0 / rate;
    wasVoiced = isVoiced;
    made[2 * n] = isVoiced ? harmonics(f0, turns, rate) : 0;
    made[2 * n + 1] = normal(random);
  }
  return made;
}

// Synthesizes samples, (frames · hop,), from log-mel spectra, chunk by chunk.
//
// `compute` takes spectra and excitation of a chunk, and the name of an output; it resolves to it.
export async function sourceFilter(spectra, settings, compute, report = () => {}) {
  const { bins, hop_samples: hop, vocoder } = settings;
  const frames = spectra.length / bins;
  async function inChunks(excitation, output, width, made) {
    for (let start = 0; start < frames; start += vocoder.chunk_frames) {
      const stop = Math.min(start + vocoder.chunk_frames, frames);
      const first = Math.max(start - vocoder.frames_before, 0);
      const last = Math.min(stop + vocoder.frames_after, frames);
      const chunk = await compute(
        spectra.slice(first * bins, last * bins),
        excitation.slice(2 * hop * first, 2 * hop * last),
        output,
      );
      made.set(chunk.subarray((start - first) * width, (stop - first) * width), start * width);
      report((output === "pitch" ? 0 : 0.5) + stop / frames / 2);
    }
    return made;
  }
  const width = vocoder.pitch.count + 1;
  const silence = new Float32Array(2 * hop * frames);
  const scores = await inChunks(silence, "pitch", width, new Float32Array(frames * width));
  const excitation = excite(decodePitch(scores, vocoder.pitch), settings);
  return inChunks(excitation, "samples", hop, new Float32Array(frames * hop));
}
