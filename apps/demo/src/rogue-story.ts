import { parseProbeTarget, tryRogue } from "@newleaf/probe";
import { watchFiles } from "@newleaf/rotation";
import type { Backend } from "./backend.ts";
import type { Demo } from "./demo.ts";
import type { World } from "./world.ts";

/** The rogue: tries every way in, once, and each must be refused. */
export async function tellRogueStory(demo: Demo, world: World, backend: Backend): Promise<void> {
  demo.tell("step", "the rogue tries every way in");
  await using own = await watchFiles({ directory: world.volumes.frontend.directory });
  const authority = world.authority();
  const revoked = authority.issue({
    uris: ["spiffe://demo.test/ns/mtls-demo/sa/frontend"],
    defect: "revoked",
  });
  await world.volumes.backend.renewNow();
  const { results } = await tryRogue({
    target: parseProbeTarget(backend.url),
    own: own.current(),
    authority: authority.root,
    revoked: { cert: revoked.chainPem, key: revoked.keyPem },
    timeoutMs: 5_000,
    signal: demo.signal,
    onResult: ({ description, verdict, seen }) => {
      if (demo.signal.aborted) return;
      const expected = verdict === "refused" || verdict === "served";
      demo.tell(expected ? "good" : "bad", `${description}: ${verdict.replace("_", " ")} (${seen})`);
      if (!expected && verdict !== "skipped") {
        demo.problem(`the rogue, ${description}: ${verdict} (${seen})`);
      }
    },
  });
  if (results.length === 0) demo.problem("the rogue tried nothing");
}
