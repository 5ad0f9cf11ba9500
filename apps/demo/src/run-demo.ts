import type { CommandContext } from "@newleaf/daemon";
import { type Backend, startBackend } from "./backend.ts";
import { Demo } from "./demo.ts";
import { type DemoResult, tallyOf } from "./demo-result.ts";
import { EXTERNAL_PROGRAMS, hasProgram, startExternalClient } from "./external-client.ts";
import { startFrontend, startUndici } from "./in-process-clients.ts";
import { type LegacyStory, startLegacyStory } from "./legacy-story.ts";
import { tellRogueStory } from "./rogue-story.ts";
import { tellRolloverStory } from "./rollover-story.ts";
import { ServedRotations } from "./served-rotations.ts";
import { startWorld, type World } from "./world.ts";

export interface DemoOptions {
  readonly duration: number;
  readonly rotateEvery: number;
}

/** Workers of each client of this process. */
const WORKERS = 3;
/** Seconds between two requests of a client program. */
const PAUSE = 0.25;

/** Runs the whole story and tells it on stderr. Resolves with what it showed, interrupted or not. */
export async function runDemo(
  { duration, rotateEvery }: DemoOptions,
  context: CommandContext,
): Promise<DemoResult> {
  await using demo: Demo = new Demo(context, {
    title: "newleaf demo",
    durationMs: duration,
    headlines: () => [served.headline(context.style.bold)],
  });
  const served: ServedRotations = new ServedRotations(demo, "backend");
  let legacy: LegacyStory | undefined;

  demo.tell("step", `an authority and its volumes; every certificate is replaced after ${rotateEvery} ms`);
  const world = demo.keep(await startWorld(rotateEvery));
  const volume = world.volumes.backend;
  // A new bundle for the same leaf is a rotation too, but no swap of what is served.
  volume.events.on("write", (write) => write.reason !== "trust" && served.written(write));
  const backend = demo.keep(
    await startBackend(volume.directory, (rejection) => {
      demo.countRefused(rejection.code);
      legacy?.sawRejection(rejection);
    }),
  );
  const following = served.follow(backend.rotation);
  demo.tell("step", `backend on ${backend.url}, a client certificate of the demo's own is demanded`);
  await startClients(demo, world, backend);

  legacy = await startLegacyStory(demo, world.volumes.legacy.directory, backend.url);
  await demo.until(0.15);
  await demo.play(() => tellRogueStory(demo, world, backend));
  await demo.until(0.45);
  const rolledOver = await demo.play(() =>
    tellRolloverStory(demo, world.roll(), () =>
      [backend, ...demo.clients].flatMap(({ participant }) => participant ?? []),
    ),
  );
  await demo.until(1);

  await demo.finish();
  await following;
  if (!rolledOver && !demo.interrupted) demo.problem("the authority did not roll over");
  const fared = await legacy.result();
  return { ...tallyOf(demo, [served]), legacy: fared, caRollovers: rolledOver ? 1 : 0 };
}

async function startClients(demo: Demo, { volumes }: World, backend: Backend): Promise<void> {
  demo.addClient(await startFrontend(volumes.frontend.directory, backend.url, WORKERS));
  demo.addClient(await startUndici(volumes.undici.directory, backend.url, WORKERS));
  for (const name of EXTERNAL_PROGRAMS) {
    if (!hasProgram(name)) {
      demo.tell("step", `${name} is not on this machine: left out`);
      continue;
    }
    const target = name === "openssl s_client" ? backend.address : backend.url;
    demo.addClient(startExternalClient(name, volumes[name].directory, target, PAUSE));
  }
  demo.tell("step", `clients: ${demo.clients.map(({ name }) => name).join(", ")}`);
}
