// Tab Live: microphone, audio thread, connection, and what the page shows about them.

const LOWEST_DB = -60;
const CLOSE_WAIT_MS = 2000;
// Time that a warning stays after its reason has gone.
const WARNING_MS = 10000;

const SENTENCES = {
  insecure:
    "The browser gives the microphone only to pages at https or on this machine. Open this page " +
    "at https, or at localhost through an ssh tunnel.",
  NotAllowedError:
    "The microphone was refused. Allow it for this page, in the browser's address bar, then start " +
    "again.",
  NotFoundError: "No microphone was found. Connect one, then start again.",
  NotReadableError:
    "The microphone does not answer. End other programs that use it, then start again.",
  unplugged: "The microphone was disconnected. Connect it, then start again.",
  lost: "The connection to the server was lost. Start again when the page has found it.",
  asking: "Waiting for the microphone. Allow it in the browser.",
  loading: "Loading the voice…",
  running: "Converting. Speak.",
  runningNorms:
    "Converting. Speak. The run has no statistics of its norms; they adapt in the first seconds.",
  listening: "Converting. Speak: the conversion will adapt to your voice.",
  adapted: "Converting, adapted to your voice.",
  stopped: "Stopped.",
};

const element = (name) => document.getElementById(`live-${name}`);

function say(text, kind = "info") {
  const state = element("state");
  state.textContent = text;
  state.className = `status ${kind}`;
}

function show(name, value, digits = 0) {
  const text = value === null || !Number.isFinite(value) ? "-" : value.toFixed(digits);
  if (element(name)) element(name).textContent = text;
}

function showLevel(name, peak) {
  const level = Math.max(LOWEST_DB, 20 * Math.log10(Math.max(peak, 1e-9)));
  element(`${name}-level`).value = level;
  element(`${name}-text`).textContent = `${level.toFixed(0)} dB`;
}

class Conversion {
  constructor([run, direction, vocoder, f0, semitones, adapt, rate, bufferMs, echo]) {
    this.choices = {
      run,
      direction,
      vocoder: vocoder ?? "",
      f0,
      semitones: semitones ?? 0,
      adapt: Boolean(adapt),
      rate_hz: rate,
    };
    this.bufferS = bufferMs / 1000;
    this.echo = echo;
    this.dropped = 0;
    this.isEnded = false;
  }

  async begin() {
    try {
      await this.open();
    } catch (error) {
      const sentence = SENTENCES[error.name];
      this.end(sentence || `The sound could not be opened: ${error.message || error.name}.`, true);
    }
  }

  async open() {
    if (!window.isSecureContext || !navigator.mediaDevices) {
      this.end(SENTENCES.insecure, true);
      return;
    }
    say(SENTENCES.asking);
    this.microphone = await navigator.mediaDevices.getUserMedia({
      audio: {
        channelCount: 1,
        // Each of them changes the voice, and two of them its level.
        echoCancellation: Boolean(this.echo),
        noiseSuppression: false,
        autoGainControl: false,
      },
    });
    if (this.isEnded) {
      this.release();
      return;
    }
    say(SENTENCES.loading);
    const track = this.microphone.getAudioTracks()[0];
    track.onended = () => this.end(SENTENCES.unplugged, true);
    const source = this.openContext();
    await this.context.audioWorklet.addModule(new URL("./live_worklet.js", import.meta.url));
    if (this.isEnded) return;
    const { port1, port2 } = new MessageChannel();
    this.player = new AudioWorkletNode(this.context, "live-player", {
      channelCount: 1,
      channelCountMode: "explicit",
      outputChannelCount: [1],
      processorOptions: { bufferS: this.bufferS },
    });
    this.player.port.onmessage = ({ data }) => this.measure(data, track);
    this.player.port.postMessage({ kind: "socket", socket: port1 }, [port1]);
    source.connect(this.player);
    this.player.connect(this.context.destination);
    await this.context.resume();
    if (this.isEnded) return;
    this.connect(port2);
  }

  openContext() {
    // The browser resamples between devices and model. Where it cannot, the server does.
    try {
      this.context = new AudioContext({ sampleRate: this.choices.rate_hz });
      return this.context.createMediaStreamSource(this.microphone);
    } catch (error) {
      if (error.name !== "NotSupportedError") throw error;
      this.context?.close();
      this.context = new AudioContext();
      this.choices.rate_hz = this.context.sampleRate;
      return this.context.createMediaStreamSource(this.microphone);
    }
  }

  connect(sound) {
    this.worker = new Worker(new URL("./live_socket.js", import.meta.url));
    const address = new URL("./socket", import.meta.url);
    address.protocol = address.protocol.replace("http", "ws");
    this.closed = new Promise((resolve) => {
      this.worker.onmessage = ({ data }) => this.hear(data, resolve);
    });
    this.worker.postMessage(
      { kind: "open", address: address.href, choices: this.choices, sound },
      [sound],
    );
  }

  hear(message, closed) {
    if (message.kind === "closed") closed();
    if (this.isEnded) return;
    if (message.kind === "started") {
      this.player.port.postMessage({ kind: "started", delaySamples: message.delay_samples });
      const about = message.running_norms ? "runningNorms" : "running";
      say(SENTENCES[message.is_listening ? "listening" : about], "done");
    } else if (message.kind === "adapted") {
      say(SENTENCES.adapted, "done");
    } else if (message.kind === "report") {
      this.report(message);
    } else if (message.kind === "ended") {
      this.end(message.reason || SENTENCES.stopped, Boolean(message.reason));
    } else if (message.kind === "lost") {
      this.end(SENTENCES.lost, true);
    }
  }

  report({ dropped_ms: dropped, unsent_ms: unsent, busy_s_per_s: busy }) {
    const total = dropped + unsent;
    show("busy", busy, 2);
    show("dropped", total);
    if (total > this.dropped) {
      const slow = dropped ? "This machine is" : "The network is";
      this.warn(
        `${slow} too slow for live conversion at the moment: ${total.toFixed(0)} ms of speech ` +
          "were left out. End other programs and trainings.",
      );
    }
    this.dropped = total;
  }

  warn(text) {
    const warning = element("warning");
    warning.textContent = text;
    warning.hidden = false;
    clearTimeout(this.warning);
    this.warning = setTimeout(() => { warning.hidden = true; }, WARNING_MS);
  }

  measure({ peaks, delayMs, skippedMs, underruns }, track) {
    if (this.isEnded) return;
    showLevel("in", peaks.in);
    showLevel("out", peaks.out);
    if (delayMs !== null) show("delay", delayMs);
    show("skipped", skippedMs);
    show("underruns", underruns);
    const { baseLatency = 0, outputLatency = 0 } = this.context;
    const input = track.getSettings().latency || 0;
    show("device", 1000 * (baseLatency + outputLatency + input));
  }

  end(text, isProblem = false) {
    if (this.isEnded) return;
    this.isEnded = true;
    this.release();
    say(text, isProblem ? "problem" : "info");
  }

  release() {
    clearTimeout(this.warning);
    element("warning").hidden = true;
    this.microphone?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    this.player?.port.postMessage({ kind: "end" });
    this.player?.disconnect();
    if (this.context && this.context.state !== "closed") this.context.close();
    this.worker?.postMessage({ kind: "close" });
    for (const name of ["in", "out"]) showLevel(name, 0);
  }

  // The server has let go of the session when the connection is closed.
  async ended() {
    const late = new Promise((resolve) => { setTimeout(resolve, CLOSE_WAIT_MS); });
    await Promise.race([this.closed, late]);
    this.worker?.terminate();
  }
}

let current = null;
let turn = 0;

async function stop() {
  turn += 1;
  const ending = current;
  current = null;
  ending?.end(SENTENCES.stopped);
  await ending?.ended();
}

async function start(choices) {
  const mine = (turn += 1);
  const ending = current;
  current = null;
  ending?.end(SENTENCES.stopped);
  await ending?.ended();
  if (mine !== turn) return;
  current = new Conversion(choices);
  await current.begin();
}

window.liveConversion = { start, stop };
