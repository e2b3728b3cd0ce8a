// Reads an AsyncAPI document from standard input; prints what the reference parser says of it, as JSON.
// The modules are installed elsewhere: NODE_MODULES names the folder.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { Parser } = require("@asyncapi/parser");

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const found = diagnostics.map(({ code, message, path, severity }) => ({ code, message, path, severity }));
const told = document && {
  version: document.version(),
  channels: document.channels().all().map((channel) => [channel.id(), channel.address()]),
  operations: document.operations().all().map((one) => [one.id(), one.action()]),
  messages: document.messages().all().map((message) => message.name()),
};
process.stdout.write(JSON.stringify({ diagnostics: found, document: told ?? null }));
