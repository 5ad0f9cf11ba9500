// An https server that demands client certificates, as Node has it: files read once, nothing checked beside.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { directory: { type: "string" }, port: { type: "string" } } });
const read = (name: string): Buffer => readFileSync(join(values.directory ?? "", name));

const server = createServer(
  {
    cert: read("tls.crt"),
    key: read("tls.key"),
    ca: [read("ca.crt")],
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
  },
  (_request, response) => response.end("hello\n"),
);
server.listen(Number(values.port), "127.0.0.1");

process.once("SIGTERM", () => process.exit());
