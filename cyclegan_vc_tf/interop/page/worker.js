// Conversions beside the page, which stays usable meanwhile.

import { Converter } from "./converter.js";

const loading = Converter.load();

onmessage = async ({ data }) => {
  try {
    const converter = await loading;
    const report = (share) => postMessage({ kind: "progress", share });
    const { samples, warnings } = await converter.convert(data.samples, data.direction, report);
    postMessage({ kind: "converted", samples, warnings }, [samples.buffer]);
  } catch (error) {
    postMessage({ kind: "failed", reason: error.message });
  }
};
