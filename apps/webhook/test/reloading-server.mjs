// An HTTPS server as webhooks in other languages are: reads DIR at the start and on SIGHUP, and writes its id into PIDFILE.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";

const [directory = "", pidFile = "", port = "0"] = process.argv.slice(2);
const read = () => ({
  cert: readFileSync(join(directory, "tls.crt")),
  key: readFileSync(join(directory, "tls.key")),
});
const server = createServer(read(), (_request, response) => response.end("ok"));
process.on("SIGHUP", () => server.setSecureContext(read()));
server.listen(Number(port), "127.0.0.1", () => writeFileSync(pidFile, `${process.pid}\n`));
