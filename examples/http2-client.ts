import { text } from "node:stream/consumers";
import { connectRotatingHttp2, type Http2Response, watchFiles } from "@newleaf/rotation";

await using identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
await using client = connectRotatingHttp2(identity, process.env.URL ?? "https://backend-svc:8443/");

let answer: Http2Response;
do {
  answer = await client.request({ ":path": "/" });
  console.log(answer.status, await text(answer.body));
} while (answer.status === 200);
