import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import { text } from "node:stream/consumers";
import { createRotatingAgent, watchFiles } from "@newleaf/rotation";

await using identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
await using agent = createRotatingAgent(identity);

let answer: IncomingMessage;
do {
  const request = https.get(process.env.URL ?? "https://backend-svc:8443/", { agent });
  [answer] = (await once(request, "response")) as [IncomingMessage];
  console.log(answer.statusCode, await text(answer));
} while (answer.statusCode === 200);
