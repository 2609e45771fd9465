// Levels of recordings, and pieces of long ones, as in Python's conversion.

// Measures the level of speech without its pauses, in dB relative to full scale.
export function speechLevelDbfs(samples, { sample_rate_hz: rate, moment_s: moment, pause_db: pause }) {
  const window = Math.max(1, Math.round(moment * rate));
  const count = Math.floor(samples.length / window);
  const powers = Float64Array.from({ length: count }, (_, index) => {
    let sum = 0;
    for (let n = index * window; n < (index + 1) * window; n++) sum += samples[n] ** 2;
    return sum / window;
  });
  if (!count) return -Infinity;
  const sorted = powers.slice().sort();
  const place = (count - 1) * 0.95;
  const below = Math.floor(place);
  const above = Math.min(below + 1, count - 1);
  const loud = sorted[below] + (sorted[above] - sorted[below]) * (place - below);
  const speech = powers.filter((power) => power >= loud * 10 ** (-pause / 10));
  return 10 * Math.log10(speech.reduce((sum, power) => sum + power, 0) / speech.length);
}

// Returns the power of two that brings a recording to the level of the training.
export function findGain(samples, levelDbfs, settings) {
  const missing = levelDbfs - speechLevelDbfs(samples, settings);
  if (!Number.isFinite(missing) || Math.abs(missing) <= settings.max_level_difference_db) return 1;
  const doublings = Math.round(missing / (20 * Math.log10(2)));
  return 2 ** Math.min(Math.max(doublings, -settings.max_doublings), settings.max_doublings);
}

// Returns whether a recording, without its mean, stays below -80 dB full scale.
export function isSilent(samples, { silence_peak: peak }) {
  let sum = 0;
  for (const sample of samples) sum += sample;
  const mean = samples.length ? sum / samples.length : 0;
  return samples.every((sample) => Math.abs(sample - mean) < peak);
}

// Finds the centre of the quietest 20 ms in the middle third of a recording.
function quietestSample(samples, rate) {
  const window = Math.max(1, Math.floor(rate / 50));
  const first = Math.floor(samples.length / 3);
  const windows = Math.floor((Math.floor((2 * samples.length) / 3) - first) / window);
  let least = Infinity;
  let found = 0;
  for (let index = 0; index < windows; index++) {
    const begin = first + index * window;
    let energy = 0;
    for (let n = begin; n < begin + window; n++) energy += samples[n] ** 2;
    if (energy < least) [least, found] = [energy, begin];
  }
  return found + Math.floor(window / 2);
}

// Cuts a recording in two at a quiet moment, and its parts again, until none is too long.
export function splitAtQuiet(samples, { sample_rate_hz: rate, max_piece_s: longest }) {
  const pieces = [];
  const pending = [[0, samples.length]];
  while (pending.length) {
    const [begin, end] = pending.pop();
    if (end - begin <= longest * rate) {
      pieces.push([begin, end]);
    } else {
      const cut = begin + quietestSample(samples.subarray(begin, end), rate);
      pending.push([cut, end], [begin, cut]);
    }
  }
  return pieces;
}
