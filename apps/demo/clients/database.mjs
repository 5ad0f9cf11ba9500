// database.mjs DIRECTORY PORT CERTIFICATE KEY BUNDLE : stands for PostgreSQL where there is none, with its habit: the
// files are read at the start and at SIGHUP, never in between; new ones that are no good leave it with the old.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";

const [directory, port, ...names] = process.argv.slice(2);

function read() {
  const [cert, key, ca] = names.map((name) => readFileSync(join(directory, name)));
  return { cert, key, ca };
}

const options = { ...read(), minVersion: "TLSv1.3", requestCert: true, rejectUnauthorized: true };
const server = createServer(options, (_request, response) => response.end("1\n"));
// Clients end what they no longer use; a server that did would cut off a query on its way.
server.keepAliveTimeout = 0;
server.on("tlsClientError", () => {});
server.listen(Number(port), "127.0.0.1");

process.on("SIGHUP", () => {
  try {
    server.setSecureContext({ ...options, ...read() });
  } catch (error) {
    process.stderr.write(`the files were not read again: ${error.message}\n`);
  }
});
process.on("SIGTERM", () => process.exit(0));
// It ends with whoever started it.
process.stdin.on("end", () => process.exit(0)).resume();
