/**
 * Counts the events of every case from the HTTP feed, and knows the state it is in: each event once
 * in effect. It catches up by pages, then listens to the stream.
 *
 *     node feed.mjs http://127.0.0.1:8750 feed.journal        # the API key, if any, in PMO_KEY
 *
 * What the events did and the position to go on after are one entry of the journal. So it does not
 * matter when this is killed, or the service: it goes on after what is on the disk.
 */
import { setTimeout as pause } from "node:timers/promises";
import { open } from "./journal.mjs";

const SILENCE = 45_000; // ms; the service sends a comment every 15 s, so it is gone after three
const [service, path] = process.argv.slice(2);
const key = process.env.PMO_KEY;
const asking = key ? { authorization: `Bearer ${key}` } : {};

let after = 0;
let lastId = "0"; // as the stream gave it: with it the service sees whether its log is still the same
const cases = new Map();

const keep = open(path, ({ next, id, told }) => {
  for (const { name, state } of told) {
    const known = cases.get(name) ?? { events: 0, state: null };
    cases.set(name, { events: known.events + 1, state: state ?? known.state });
  }
  after = next;
  lastId = id ?? String(next);
});

/** What is kept of an event: here is what your service makes of it. */
function effect(event) {
  return { id: event.id, position: Number(event.sequence), name: event.subject, state: event.data.state };
}

async function ask(headers, signal, query = "") {
  const address = `${service}/v1/events${query}`;
  const answer = await fetch(address, { headers: { ...asking, ...headers }, signal });
  if (answer.ok) return answer;
  const problem = `${answer.status}: ${await answer.text()}`;
  if (answer.status < 500) stop(problem); // log-diverged, unauthorized, ...: a person has to look
  throw new Error(problem);
}

async function readPages() {
  for (;;) {
    const answer = await ask({}, AbortSignal.timeout(SILENCE), `?after=${after}&limit=1000`);
    const { events, next_after, head } = await answer.json();
    if (next_after > after) keep({ next: next_after, told: events.map(effect) });
    if (next_after >= head) return;
  }
}

async function readStream() {
  const silent = new AbortController();
  const patience = setTimeout(() => silent.abort(new Error("nothing comes any more")), SILENCE);
  try {
    const headers = { accept: "text/event-stream", "last-event-id": lastId };
    const answer = await ask(headers, silent.signal);
    let text = "";
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      patience.refresh();
      const messages = (text + chunk).split("\n\n");
      text = messages.pop(); // what has not ended yet
      take(messages.map(parse).filter(({ position }) => position > after));
    }
  } finally {
    clearTimeout(patience);
  }
}

/** Lines like `id: 41:01a2...` and `data: {...}`. Comments have neither, and a filtered feed ids alone. */
function parse(message) {
  const fields = Object.fromEntries(message.split("\n").map((line) => line.split(/: (.*)/s, 2)));
  return { id: fields.id, position: Number.parseInt(fields.id ?? "0", 10), data: fields.data };
}

function take(messages) {
  if (messages.length === 0) return;
  const events = messages.filter(({ data }) => data).map(({ data }) => JSON.parse(data));
  const { position, id } = messages.at(-1);
  keep({ next: position, id, told: events.map(effect) });
}

function stop(why) {
  console.error(why);
  process.exit(1);
}

for (;;) {
  try {
    await readPages();
    await readStream();
  } catch (error) {
    console.error(`tries again: ${error.cause?.message ?? error.message}`);
  }
  await pause(1_000);
}
