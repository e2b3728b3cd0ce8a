import fs from "node:fs";

/**
 * A file that remembers: one line, one entry, on the disk before it counts. It stands here for your
 * database's transaction: whatever belongs together goes into one entry, and what a process that
 * was killed had half written never happened. One process at a time keeps a journal.
 *
 * `fold` is given every entry, those of the file first. Returns what keeps another one.
 */
export function open(path, fold) {
  const file = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  const found = fs.readFileSync(file);
  let end = found.lastIndexOf("\n") + 1; // behind the last whole line
  for (const line of found.toString("utf8", 0, end).split("\n")) {
    if (line) fold(JSON.parse(line));
  }
  fs.ftruncateSync(file, end);

  return function keep(entry) {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    try {
      if (fs.writeSync(file, line, 0, line.length, end) < line.length) throw new Error("disk full");
      fs.fdatasyncSync(file);
    } catch (error) {
      fs.ftruncateSync(file, end); // nothing of it is kept
      throw error;
    }
    end += line.length;
    fold(entry);
  };
}
