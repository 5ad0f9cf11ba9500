// A TLS server that reads its files when SIGHUP comes, and says when that was.  node reload-target.ts DIRECTORY PID_FILE
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "node:tls";

/** Each line that it writes, after the first, which is `ReloadTargetReady`. */
export interface Signalled {
  /** On the machine's monotonic clock, before the files were read. */
  readonly atNs: number;
  /** Of the certificate that then lay there. */
  readonly serialNumber: string;
}

export interface ReloadTargetReady {
  readonly port: number;
}

const [directory = "", pidFile = ""] = process.argv.slice(2);
const read = (name: string): string => readFileSync(join(directory, name), "utf8");

// Without a certificate until the first signal: whoever comes earlier fails.
const server = createServer((socket) => socket.end());
server.on("tlsClientError", () => {});
process.on("SIGHUP", () => {
  const atNs = Number(process.hrtime.bigint());
  const cert = read("svid.pem");
  server.setSecureContext({ cert, key: read("svid_key.pem") });
  say({ atNs, serialNumber: new X509Certificate(cert).serialNumber });
});
process.stdin.once("end", () => process.exit()).resume();
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  writeFileSync(pidFile, `${process.pid}\n`);
  if (typeof address === "object" && address !== null) say({ port: address.port });
});

function say(message: Signalled | ReloadTargetReady): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
