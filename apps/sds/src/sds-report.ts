import type { AdminResponse, CheckResult } from "@newleaf/daemon";
import { describeRecord } from "@newleaf/rotation";
import type { SecretStore } from "./secret-store.ts";
import type { ServedIdentity } from "./served-identity.ts";
import { missingNames, type StandingRefusal, type Subscribers, standingRefusals } from "./subscribers.ts";

const LONGEST_LIST = 100;

/** Envoys that refuse or miss something are shown, and change nothing: we could serve, and they keep what they had. */
export function checkSubscribers(subscribers: Subscribers, store: SecretStore): CheckResult {
  const refused: readonly StandingRefusal[] = standingRefusals(subscribers, LONGEST_LIST);
  const missing = missingNames(subscribers, store, LONGEST_LIST);
  return { ok: true, details: { streams: subscribers.size, refused, missing } };
}

/** `/rotations`: each identity as it stands with its recent records, newest first. */
export function rotationsDocument(identities: readonly ServedIdentity[], now: Date): AdminResponse {
  const document = {
    at: now,
    identities: identities.map((identity) => {
      const { name, current } = identity;
      if (!current) return { source: name, waiting: identity.check(now).reason, rotations: [] };
      const { source, rotation } = current;
      const generation = source.current();
      return {
        source: name,
        identity: {
          name: generation.identity,
          generation: generation.number,
          serialNumber: generation.leaf.serialNumber,
          sha256: generation.leaf.sha256,
          notAfter: generation.notAfter,
          trustSha256: generation.trust.sha256,
        },
        status: rotation.status(),
        rotations: rotation.recent().toReversed().map(describeRecord),
      };
    }),
  };
  return { body: `${JSON.stringify(document, null, 2)}\n` };
}

/** `/secrets`: names, kinds and versions, never contents, with how many streams have which. */
export function secretsDocument(store: SecretStore, subscribers: Subscribers): AdminResponse {
  const secrets = store.names().flatMap((name) => {
    const secret = store.get(name);
    if (!secret) return [];
    const counts = { subscribed: 0, current: 0, refused: 0 };
    for (const subscriber of subscribers) {
      if (!subscriber.subscriptions.has(name)) continue;
      const standing = subscribers.standing(subscriber, [name]);
      counts.subscribed += 1;
      if (standing === "done") counts.current += 1;
      else if (standing !== "waiting") counts.refused += 1;
    }
    return [{ name, kind: secret.kind, version: secret.version, ...counts }];
  });
  return { body: `${JSON.stringify({ secrets }, null, 2)}\n` };
}
