// An https server whose certificate rotates, as a user of the library writes it.
import { createServer } from "node:https";
import { parseArgs } from "node:util";
import { allow, rotateServer, serverOptions, watchFiles } from "@newleaf/rotation";

const { values } = parseArgs({ options: { directory: { type: "string" }, port: { type: "string" } } });

const identity = await watchFiles({ directory: values.directory ?? "" });
const server = createServer(serverOptions(identity), (_request, response) => response.end("hello\n"));
rotateServer(server, identity, { authorize: allow.dns("client.bench") });
server.listen(Number(values.port), "127.0.0.1");

process.once("SIGTERM", () => process.exit());
