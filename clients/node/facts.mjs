// What the scripts of this folder have in common: they read names of features from
// their standard input, and print a line of facts (see facts_test.go) for each.
import { createInterface } from "node:readline";

export async function serve(features, sdk) {
  for await (const line of createInterface({ input: process.stdin })) {
    let facts;
    try {
      facts = await features[line.trim()]();
    } catch (e) {
      facts = { failure: `${e.stack ?? e} ${e.cause ?? ""}` };
    }
    console.log(JSON.stringify({ ...facts, sdk }));
  }
  process.exit(0); // whatever an SDK keeps open
}

// Joins a stream: piece(out, event) adds what one event tells.
export async function joined(stream, piece) {
  const out = { ids: [], model: "", text: "", thinking: "", finish: "", usage: null, tools: [], chunks: 0 };
  for await (const event of stream) {
    out.chunks++;
    piece(out, event);
  }
  return out;
}
