import http2 from "node:http2";
import { allow, rotateServer, serverOptions, watchFiles } from "@newleaf/rotation";

const identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
const server = http2.createSecureServer({ ...serverOptions(identity), allowHTTP1: true });
server.on("request", (_request, response) => response.end("hello\n"));
rotateServer(server, identity, { authorize: allow.dns("frontend.shop.svc") });

server.listen(Number(process.env.PORT ?? 8443), () => console.log("listening on", server.address()));
