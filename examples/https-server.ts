import https from "node:https";
import { allow, rotateServer, serverOptions, watchFiles } from "@newleaf/rotation";

const identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
const server = https.createServer(serverOptions(identity), (_request, response) => response.end("hello\n"));
rotateServer(server, identity, { authorize: allow.dns("frontend.shop.svc") });

server.listen(Number(process.env.PORT ?? 8443), () => console.log("listening on", server.address()));
