/**
 * Counts the events of every case from webhooks, and knows the state it is in: each event once in
 * effect.
 *
 *     PORTAL_SECRET=whsec_... node webhooks.mjs 8780 webhooks.journal
 *
 * An event is on the disk before it is answered for. So if this is killed before it answers, the
 * event comes again, and is known by its id.
 */
import crypto from "node:crypto";
import http from "node:http";
import { open } from "./journal.mjs";

const [port, path] = process.argv.slice(2);
const secret = process.env.PORTAL_SECRET;
const LARGEST = 4_000_000; // bytes

const seen = new Set();
const cases = new Map();

const keep = open(path, ({ id, name, state }) => {
  seen.add(id);
  const known = cases.get(name) ?? { events: 0, state: null };
  cases.set(name, { events: known.events + 1, state: state ?? known.state });
});

/** Whether the body (bytes, as they came) was sent by who knows the secret, and just now. */
function isSigned(headers, body) {
  const sentAt = headers["webhook-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(sentAt)) <= 300)) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const wanted = crypto.createHmac("sha256", key).update(`${headers["webhook-id"]}.${sentAt}.`).update(body).digest();
  return (headers["webhook-signature"] ?? "").split(" ").some((part) => {
    const given = Buffer.from(part.split(",")[1] ?? "", "base64");
    return given.length === wanted.length && crypto.timingSafeEqual(given, wanted);
  });
}

/** The status to answer with. */
function take(headers, body) {
  if (!isSigned(headers, body)) return 401;
  const event = JSON.parse(body);
  if (event.type === "pmo.webhook.Tried") return 204; // pmo webhooks test: it says nothing
  if (!seen.has(event.id)) {
    const { id, sequence, subject: name, data } = event; // here is what your service makes of it
    keep({ id, position: Number(sequence), name, state: data.state });
  }
  return 204;
}

async function read(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST) throw new Error("too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const server = http.createServer(async (request, response) => {
  try {
    response.writeHead(take(request.headers, await read(request)));
  } catch (error) {
    console.error(error);
    response.writeHead(500); // it comes again
  }
  response.end();
});
server.listen(Number(port), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
