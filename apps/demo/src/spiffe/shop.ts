import type { IdentitySource } from "@newleaf/rotation";
import { createRotatingDispatcher } from "@newleaf/rotation/undici";
import { spiffe, watchSpiffe } from "@newleaf/spiffe";
import { request } from "undici";
import type { Demo } from "../demo.ts";
import type { EmbeddedProgram } from "../embedded-program.ts";
import { startUndiciWith } from "../in-process-clients.ts";
import type { ServedRotations } from "../served-rotations.ts";
import { untilAnswered } from "./child.ts";
import type { Database } from "./database.ts";
import { type Envoy, startEnvoy } from "./envoy.ts";
import { startSessions } from "./sessions.ts";
import { type ShopBackend, startShopBackend } from "./shop-backend.ts";
import { idOf, type SpiffeWorld } from "./spiffe-world.ts";

export interface ShopParts {
  readonly world: SpiffeWorld;
  readonly database: Database;
  /** The backend's. */
  readonly identity: IdentitySource;
  readonly envoy: string | undefined;
}

/** The stack, and what follows it. */
export interface Shop {
  readonly envoy: Envoy | undefined;
  /** Of newleaf's own; none of them may end before the demo. */
  readonly programs: readonly EmbeddedProgram[];
  /** Ends with the demo. */
  readonly following: Promise<void>;
}

/** Workers of the frontend. */
const WORKERS = 3;

/** Frontend, Envoy where there is one, backend and database, under load until the demo ends. */
export async function openShop(demo: Demo, parts: ShopParts, served: ServedRotations): Promise<Shop> {
  const { world, database, identity } = parts;
  const backend = demo.keep(
    await startShopBackend(identity, {
      client: idOf(parts.envoy === undefined ? "frontend" : "envoy"),
      database: database.connect(identity, "kept"),
      onRejection: ({ code }) => demo.countRefused(code),
    }),
  );
  const following = served.follow(backend.rotation);
  world.onIssued("backend", ({ sha256, serialNumber }, writtenAt) => {
    served.written({ sha256, serialNumber, writtenAt });
  });
  demo.addClient(startSessions("new sessions", database.connect(identity, "each"), identity));
  const envoy = parts.envoy === undefined ? undefined : await openEnvoy(demo, parts.envoy, world, backend);
  await startFrontend(demo, world, envoy, backend);
  const way = ["frontend", ...(envoy ? ["Envoy with newleaf sds"] : []), "backend", "database"];
  demo.tell("step", `${way.join(" -> ")}, under load, and new sessions beside it`);
  return { envoy, programs: envoy ? [envoy.sds] : [], following };
}

async function openEnvoy(
  demo: Demo,
  program: string,
  world: SpiffeWorld,
  backend: ShopBackend,
): Promise<Envoy> {
  return demo.keep(
    await startEnvoy({
      program,
      directory: world.directory,
      address: world.address("envoy"),
      client: idOf("frontend"),
      upstream: { port: backend.port, id: idOf("backend") },
    }),
  );
}

async function startFrontend(
  demo: Demo,
  world: SpiffeWorld,
  envoy: Envoy | undefined,
  backend: ShopBackend,
): Promise<void> {
  const source = demo.keep(await watchSpiffe({ address: world.address("frontend"), signal: demo.signal }));
  const url = `https://127.0.0.1:${envoy?.port ?? backend.port}/`;
  const authorizeServer = spiffe.id(idOf(envoy ? "envoy" : "backend"));
  if (envoy) {
    // Envoy opens its listener when it has been sent its secrets, and its way to the backend as late.
    await using dispatcher = createRotatingDispatcher(source, { authorizeServer });
    const ask = async (): Promise<void> => {
      const { statusCode, body } = await request(url, { dispatcher, headersTimeout: 5_000 });
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`status ${statusCode}: ${text}`);
    };
    await untilAnswered(envoy.child, ask, demo.signal);
  }
  demo.addClient(startUndiciWith(source, { name: "frontend", url, concurrency: WORKERS, authorizeServer }));
}
