// Sound of a live conversion, in the browser's audio thread: the microphone's samples go out in
// frames, converted frames come in and are played from a buffer.
//
// A frame is a 32-bit position in samples and 32-bit floats; see live_socket.py.

const FRAME_S = 0.01;
const REPORT_S = 0.1;
// Converted speech beyond the buffer that is kept before the oldest is left out, in seconds.
const BEYOND_BUFFER_S = 0.15;
// Time in which the buffer has to have been needed; what was not needed is left out.
const WATCH_S = 2;
// Time by which frames come unevenly at all times.
const SPREAD_S = 0.04;
const RING_S = 2;

class LivePlayer extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.socket = null;
    this.delay = 0;
    this.wanted = Math.round(processorOptions.bufferS * sampleRate);
    this.most = this.wanted + Math.round(BEYOND_BUFFER_S * sampleRate);
    this.ring = new Float32Array(RING_S * sampleRate);
    this.head = 0;
    this.buffered = 0;
    this.end = 0; // Position behind the newest sample in the buffer.
    this.captured = 0;
    this.frame = null;
    this.filled = 0;
    this.lowest = Infinity;
    this.watched = 0;
    this.surplus = 0;
    this.isPlaying = false;
    this.isEnded = false;
    this.counts = { skipped: 0, underruns: 0, played: 0 };
    this.forget();
    this.port.onmessage = ({ data }) => {
      if (data.kind === "socket") {
        this.socket = data.socket;
        this.socket.onmessage = ({ data: frame }) => this.take(frame);
      }
      if (data.kind === "started") this.delay = data.delaySamples;
      if (data.kind === "end") this.isEnded = true;
    };
  }

  forget() {
    this.peaks = { in: 0, out: 0 };
    this.delays = { sum: 0, count: 0 };
    this.sinceReport = 0;
  }

  take(buffer) {
    const position = new Uint32Array(buffer, 0, 1)[0];
    const samples = new Float32Array(buffer, 4);
    const room = this.ring.length - this.buffered;
    if (samples.length > room) this.skip(samples.length - room);
    const tail = (this.head + this.buffered) % this.ring.length;
    const first = Math.min(samples.length, this.ring.length - tail);
    this.ring.set(samples.subarray(0, first), tail);
    this.ring.set(samples.subarray(first), 0);
    this.buffered += samples.length;
    this.end = position + samples.length;
    if (this.buffered > this.most) this.surplus = this.buffered - this.wanted;
    if (this.buffered >= this.wanted) this.isPlaying ||= "begin";
  }

  skip(samples) {
    const skipped = Math.min(samples, this.buffered);
    this.head = (this.head + skipped) % this.ring.length;
    this.buffered -= skipped;
    this.counts.skipped += skipped;
  }

  capture(input, length) {
    if (!this.frame) {
      // Whole blocks of the audio thread.
      const samples = Math.ceil((FRAME_S * sampleRate) / length) * length;
      this.frame = new ArrayBuffer(4 + 4 * samples);
      new Uint32Array(this.frame, 0, 1)[0] = this.captured;
      this.samples = new Float32Array(this.frame, 4);
      this.filled = 0;
    }
    if (input) this.samples.set(input, this.filled);
    this.filled += length;
    this.captured += length;
    if (this.filled >= this.samples.length) {
      this.socket?.postMessage(this.frame, [this.frame]);
      this.frame = null;
    }
  }

  play(output) {
    const length = output.length;
    if (!this.isPlaying || this.buffered < length) {
      if (this.isPlaying) this.pause();
      return;
    }
    this.delays.sum += this.captured - (this.end - this.buffered - this.delay);
    this.delays.count += 1;
    this.watch(length);
    // The last block before a gap or a cut fades out, the first one behind it fades in: no clicks.
    const isLast = this.buffered < 2 * length;
    const isCut = this.surplus > 0 && this.buffered >= this.surplus + 2 * length;
    for (let index = 0; index < length; index++) {
      let gain = 1;
      if (this.isPlaying === "begin") gain = (index + 1) / length;
      if (isLast || isCut) gain *= 1 - (index + 1) / length;
      output[index] = gain * this.ring[(this.head + index) % this.ring.length];
    }
    this.head = (this.head + length) % this.ring.length;
    this.buffered -= length;
    this.counts.played += length;
    this.isPlaying = isCut ? "begin" : "on";
    if (isLast) this.pause();
    if (isCut) this.skip(this.surplus);
    this.surplus = 0;
  }

  // A pause of the machine fills the buffer more than is needed afterwards, and adds delay.
  watch(length) {
    this.lowest = Math.min(this.lowest, this.buffered);
    this.watched += length;
    if (this.watched < WATCH_S * sampleRate) return;
    const kept = Math.max(this.wanted / 2, this.wanted - SPREAD_S * sampleRate);
    if (this.lowest > this.wanted) this.surplus = this.lowest - Math.round(kept);
    this.lowest = Infinity;
    this.watched = 0;
  }

  pause() {
    this.isPlaying = false;
    this.lowest = Infinity;
    this.watched = 0;
    this.counts.underruns += 1;
  }

  process(inputs, outputs) {
    const input = inputs[0][0];
    const output = outputs[0][0];
    this.capture(input, output.length);
    this.play(output);
    for (const sample of input || []) this.peaks.in = Math.max(this.peaks.in, Math.abs(sample));
    for (const sample of output) this.peaks.out = Math.max(this.peaks.out, Math.abs(sample));
    this.sinceReport += output.length;
    if (this.sinceReport >= REPORT_S * sampleRate) {
      const ms = 1000 / sampleRate;
      const { sum, count } = this.delays;
      this.port.postMessage({
        peaks: this.peaks,
        delayMs: count ? (sum / count) * ms : null,
        skippedMs: this.counts.skipped * ms,
        playedMs: this.counts.played * ms,
        underruns: this.counts.underruns,
      });
      this.forget();
    }
    return !this.isEnded;
  }
}

registerProcessor("live-player", LivePlayer);
