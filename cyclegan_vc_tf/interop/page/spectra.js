// Short-time spectra and log-mel spectra, equal to cyclegan_vc_tf.features.log_mel in Python.
//
// Arrays of frames hold one frame after another. A half spectrum has 1 + size / 2 bins.

// Fourier transforms of one size, a power of two.
//
// Source: Cooley and Tukey, 1965, "An algorithm for the machine calculation of complex Fourier
// series", radix 2, decimation in time.
export class Fourier {
  constructor(size) {
    if (size < 2 || size & (size - 1)) throw new Error(`${size} is not a power of two`);
    this.size = size;
    this.cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sines = Float64Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    const bits = Math.log2(size);
    this.order = Uint32Array.from({ length: size }, (_, index) => {
      let reversed = 0;
      for (let bit = 0; bit < bits; bit++) reversed |= ((index >> bit) & 1) << (bits - 1 - bit);
      return reversed;
    });
  }

  // Transforms real and imaginary parts in place: X[k] = Σ x[n] exp(-2πi k n / size).
  transform(real, imaginary) {
    const { size, order, cosines, sines } = this;
    for (let index = 0; index < size; index++) {
      const other = order[index];
      if (other > index) {
        [real[index], real[other]] = [real[other], real[index]];
        [imaginary[index], imaginary[other]] = [imaginary[other], imaginary[index]];
      }
    }
    for (let half = 1; half < size; half *= 2) {
      const step = size / (2 * half);
      for (let begin = 0; begin < size; begin += 2 * half) {
        for (let k = 0; k < half; k++) {
          const low = begin + k;
          const high = low + half;
          const cosine = cosines[k * step];
          const sine = sines[k * step];
          const turnedReal = real[high] * cosine + imaginary[high] * sine;
          const turnedImaginary = imaginary[high] * cosine - real[high] * sine;
          real[high] = real[low] - turnedReal;
          imaginary[high] = imaginary[low] - turnedImaginary;
          real[low] += turnedReal;
          imaginary[low] += turnedImaginary;
        }
      }
    }
  }
}

// Short-time Fourier transforms with a periodic Hann window as long as the transform.
export class ShortTime {
  constructor(size, hop) {
    this.size = size;
    this.hop = hop;
    this.bins = 1 + size / 2;
    this.fourier = new Fourier(size);
    this.window = Float64Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
    this.real = new Float64Array(size);
    this.imaginary = new Float64Array(size);
  }

  frameCount(samples) {
    return 1 + Math.floor((samples - this.size) / this.hop);
  }

  // Transforms samples without padding; writes half spectra into `spectra`, {real, imaginary}.
  forward(samples, spectra) {
    const { size, hop, bins, window, real, imaginary } = this;
    const frames = this.frameCount(samples.length);
    for (let frame = 0; frame < frames; frame++) {
      for (let n = 0; n < size; n++) real[n] = samples[frame * hop + n] * window[n];
      imaginary.fill(0);
      this.fourier.transform(real, imaginary);
      spectra.real.set(real.subarray(0, bins), frame * bins);
      spectra.imaginary.set(imaginary.subarray(0, bins), frame * bins);
    }
  }

  makeSpectra(frames) {
    return {
      real: new Float64Array(frames * this.bins),
      imaginary: new Float64Array(frames * this.bins),
    };
  }

  // Returns the samples with the nearest short-time spectra, in least squares.
  //
  // Source: Griffin and Lim, 1984, "Signal estimation from modified short-time Fourier transform",
  // equation 6.
  inverse(spectra, frames) {
    const { size, hop, bins, window, real, imaginary } = this;
    const samples = new Float64Array(size + hop * (frames - 1));
    const weights = new Float64Array(samples.length);
    for (let frame = 0; frame < frames; frame++) {
      // The inverse is the forward transform of the conjugate; a real signal's upper half mirrors.
      for (let k = 0; k < bins; k++) {
        real[k] = spectra.real[frame * bins + k];
        imaginary[k] = -spectra.imaginary[frame * bins + k];
      }
      imaginary[0] = 0;
      imaginary[bins - 1] = 0;
      for (let k = bins; k < size; k++) {
        real[k] = real[size - k];
        imaginary[k] = -imaginary[size - k];
      }
      this.fourier.transform(real, imaginary);
      for (let n = 0; n < size; n++) {
        samples[frame * hop + n] += (real[n] / size) * window[n];
        weights[frame * hop + n] += window[n] * window[n];
      }
    }
    // The smallest normal float32, as in Python.
    const tiny = 2 ** -126;
    for (let n = 0; n < samples.length; n++) if (weights[n] > tiny) samples[n] /= weights[n];
    return samples;
  }
}

// Counts the samples that are mirrored in front of a recording, and behind it.
export function margins({ fft_samples: size, hop_samples: hop }) {
  const front = Math.floor((size - hop) / 2);
  return [front, size - hop - front];
}

// Returns samples with zeros up to whole hops, and mirrored samples at both ends.
function pad(samples, settings) {
  const { hop_samples: hop } = settings;
  const whole = Math.ceil(samples.length / hop) * hop;
  const [front, behind] = margins(settings);
  const padded = new Float64Array(front + whole + behind);
  const period = Math.max(1, 2 * (whole - 1));
  for (let n = 0; n < padded.length; n++) {
    const turned = (((n - front) % period) + period) % period;
    const place = turned < whole ? turned : period - turned;
    padded[n] = place < samples.length ? samples[place] : 0;
  }
  return padded;
}

// Multiplies frames, (frames, columns), by the transpose of a matrix, (rows, columns).
export function multiply(matrix, rows, columns, values, frames) {
  const products = new Float64Array(frames * rows);
  for (let row = 0; row < rows; row++) {
    const weights = matrix.subarray(row * columns, (row + 1) * columns);
    let first = 0;
    let last = columns;
    while (first < last && weights[first] === 0) first++;
    while (last > first && weights[last - 1] === 0) last--;
    for (let frame = 0; frame < frames; frame++) {
      let sum = 0;
      for (let k = first; k < last; k++) sum += weights[k] * values[frame * columns + k];
      products[frame * rows + row] = sum;
    }
  }
  return products;
}

// Computes log-mel spectra, log10(max(filters · |STFT|, 1e-5)), (frames, bins) float32.
export function logMel(samples, settings, filters) {
  const { fft_samples: size, hop_samples: hop, bins, min_magnitude: least } = settings;
  const shortTime = new ShortTime(size, hop);
  const padded = pad(samples, settings);
  const frames = shortTime.frameCount(padded.length);
  const { real, imaginary } = shortTime.makeSpectra(frames);
  shortTime.forward(padded, { real, imaginary });
  for (let k = 0; k < real.length; k++) real[k] = Math.sqrt(real[k] ** 2 + imaginary[k] ** 2);
  const bands = multiply(filters, bins, shortTime.bins, real, frames);
  return Float32Array.from(bands, (band) => Math.log10(Math.max(band, least)));
}
