// Wav files of 16 bits, mono.

// Returns the bytes of a file, and the peak of the samples: above 1 they were scaled down.
export function encodeWav(samples, rate) {
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const write = (place, text) => [...text].forEach((letter, n) => bytes.setUint8(place + n, letter.charCodeAt(0)));
  write(0, "RIFF");
  bytes.setUint32(4, 36 + 2 * samples.length, true);
  write(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true);
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, rate, true);
  bytes.setUint32(28, 2 * rate, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  write(36, "data");
  bytes.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, n) => {
    const value = Math.round((sample / Math.max(peak, 1)) * 32768);
    bytes.setInt16(44 + 2 * n, Math.min(Math.max(value, -32768), 32767), true);
  });
  return { bytes: bytes.buffer, peak };
}
