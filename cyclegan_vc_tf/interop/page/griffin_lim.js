// Griffin-Lim synthesis, equal to cyclegan_vc_tf.vocoders.griffin_lim in Python.

import { ShortTime, margins, multiply } from "./spectra.js";

// Random numbers of NumPy's `RandomState(seed)`, which begin the phases in Python too.
//
// Source: Matsumoto and Nishimura, 1998, "Mersenne twister"; 53 bits of two outputs make a number.
export class MersenneTwister {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = seed;
    for (let index = 1; index < 624; index++) {
      const before = this.state[index - 1] ^ (this.state[index - 1] >>> 30);
      this.state[index] = Math.imul(1812433253, before) + index;
    }
    this.index = 624;
  }

  next() {
    if (this.index === 624) this.twist();
    let bits = this.state[this.index++];
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  }

  twist() {
    const { state } = this;
    for (let index = 0; index < 624; index++) {
      const bits = (state[index] & 0x80000000) | (state[(index + 1) % 624] & 0x7fffffff);
      state[index] = state[(index + 397) % 624] ^ (bits >>> 1) ^ (bits & 1 ? 0x9908b0df : 0);
    }
    this.index = 0;
  }

  // Returns a number between 0 and 1.
  random() {
    const high = this.next() >>> 5;
    return (high * 67108864 + (this.next() >>> 6)) / 9007199254740992;
  }
}

// Returns the magnitudes of log-mel spectra, (frames, 1 + size / 2).
function magnitudesOf(spectra, settings, inverseFilters) {
  const { bins, fft_samples: size, max_log_mel: most } = settings;
  const bands = Float64Array.from(spectra, (value) => 10 ** Math.min(value, most));
  const magnitudes = multiply(inverseFilters, 1 + size / 2, bins, bands, spectra.length / bins);
  return magnitudes.map((value) => Math.max(value, 0));
}

// Synthesizes samples that have about the given log-mel spectra, (frames · hop,).
//
// Source: Perraudin, Balazs and Søndergaard, 2013, "A fast Griffin-Lim algorithm".
export function griffinLim(spectra, settings, inverseFilters, vocoder, report = () => {}) {
  const { hop_samples: hop, fft_samples: size, bins } = settings;
  const frames = spectra.length / bins;
  const shortTime = new ShortTime(size, hop);
  const magnitudes = magnitudesOf(spectra, settings, inverseFilters);
  const random = new MersenneTwister(0);
  let estimate = shortTime.makeSpectra(frames);
  for (let k = 0; k < shortTime.bins; k++) {
    for (let frame = 0; frame < frames; frame++) {
      const angle = 2 * Math.PI * random.random();
      const place = frame * shortTime.bins + k;
      estimate.real[place] = magnitudes[place] * Math.cos(angle);
      estimate.imaginary[place] = magnitudes[place] * Math.sin(angle);
    }
  }
  const share = vocoder.momentum / (1 + vocoder.momentum);
  let before = shortTime.makeSpectra(frames);
  let consistent = shortTime.makeSpectra(frames);
  for (let iteration = 0; iteration < vocoder.iterations; iteration++) {
    shortTime.forward(shortTime.inverse(estimate, frames), consistent);
    for (let place = 0; place < magnitudes.length; place++) {
      const real = consistent.real[place] - share * before.real[place];
      const imaginary = consistent.imaginary[place] - share * before.imaginary[place];
      const scale = magnitudes[place] / (Math.hypot(real, imaginary) + 2.2250738585072014e-308);
      estimate.real[place] = scale * real;
      estimate.imaginary[place] = scale * imaginary;
    }
    [before, consistent] = [consistent, before];
    report((iteration + 1) / vocoder.iterations);
  }
  const [front] = margins(settings);
  return Float32Array.from(shortTime.inverse(estimate, frames).subarray(front, front + frames * hop));
}
