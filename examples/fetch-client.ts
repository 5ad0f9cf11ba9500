import { watchFiles } from "@newleaf/rotation";
import { createRotatingDispatcher } from "@newleaf/rotation/undici";
import { fetch, setGlobalDispatcher } from "undici";

await using identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
await using dispatcher = createRotatingDispatcher(identity);
setGlobalDispatcher(dispatcher); // the global fetch follows, too

let answer: Awaited<ReturnType<typeof fetch>>;
do {
  answer = await fetch(process.env.URL ?? "https://backend-svc:8443/");
  console.log(answer.status, await answer.text());
} while (answer.ok);
