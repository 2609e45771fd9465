// Connection of a live conversion, in a worker: a busy page does not delay sound.
//
// Frames go straight between the audio thread and the server; texts go to the page.

// Sound that waits to be sent at most, in seconds; what comes then is left out.
const MAX_UNSENT_S = 0.5;
const BYTES = 4;
// Reports come twice a second; without any message for this time the server is gone.
const MAX_SILENT_MS = 20000;

let socket = null;
let isStarted = false;
let isEnded = false;
let unsent = 0;
let heardMs = 0;

function lose() {
  if (!isEnded) postMessage({ kind: "lost" });
  isEnded = true;
}

function open({ address, choices, sound }) {
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => socket.send(JSON.stringify(choices));
  socket.onmessage = ({ data }) => {
    heardMs = performance.now();
    if (data instanceof ArrayBuffer) {
      sound.postMessage(data, [data]);
      return;
    }
    const message = JSON.parse(data);
    isStarted ||= message.kind === "started";
    isEnded ||= message.kind === "ended";
    postMessage({ ...message, unsent_ms: (1000 * unsent) / choices.rate_hz });
  };
  socket.onclose = () => {
    lose();
    postMessage({ kind: "closed" });
  };
  setInterval(() => {
    if (isStarted && performance.now() - heardMs > MAX_SILENT_MS) lose();
  }, 1000);
  sound.onmessage = ({ data }) => {
    if (!isStarted || socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > MAX_UNSENT_S * choices.rate_hz * BYTES) {
      unsent += (data.byteLength - BYTES) / BYTES;
    } else {
      socket.send(data);
    }
  };
}

onmessage = ({ data }) => {
  if (data.kind === "open") open(data);
  if (data.kind === "close") {
    isEnded = true;
    socket.close();
  }
};
