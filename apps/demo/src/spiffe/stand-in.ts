import { get } from "node:https";
import { fileURLToPath } from "node:url";
import { createRotatingAgent, type RotatingAgent } from "@newleaf/rotation";
import { spiffe } from "@newleaf/spiffe";
import { freePort, startChild } from "./child.ts";
import { FILES, type PreparedDatabase } from "./database.ts";
import { idOf } from "./spiffe-world.ts";

const HOST = "127.0.0.1";
const program = fileURLToPath(new URL("../../clients/database.mjs", import.meta.url));

/** For machines without PostgreSQL: a server with its habit, which is to read its files at its start and when told. */
export function prepareStandIn(directory: string): PreparedDatabase {
  return {
    owner: undefined,
    async start(certificates) {
      const port = await freePort();
      const names = [FILES.certificate, FILES.key, FILES.bundle];
      const child = await startChild([process.execPath, program, certificates, String(port), ...names], {
        name: "the stand-in for a database",
        cwd: directory,
      });
      return {
        child,
        target: `tls://${HOST}:${port}`,
        reload: `reload "database" {
  kind = "signal"
  pid = ${child.pid}
  verify { address = "${HOST}:${port}" timeout = "3s" }
}`,
        connect(identity, sessions) {
          const agent = createRotatingAgent(identity, {
            keepAlive: sessions === "kept",
            authorizeServer: spiffe.id(idOf("database")),
          });
          return {
            rotation: agent.rotation,
            query: () => ask(agent, port),
            [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
          };
        },
        [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
      };
    },
  };
}

function ask(agent: RotatingAgent, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(10_000);
    get({ host: HOST, port, agent, signal }, (response) => {
      response.resume().on("error", reject);
      response.on("end", () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`)),
      );
    }).on("error", reject);
  });
}
