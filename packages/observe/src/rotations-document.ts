import type { AdminResponse } from "@newleaf/daemon";
import { describeRecord, type IdentitySource, type Rotation } from "@newleaf/rotation";
import type { ConnectionsByGeneration } from "./observe-rotation.ts";

interface Observed {
  readonly rotation: Rotation;
  readonly source: IdentitySource;
  readonly connections: (() => ConnectionsByGeneration) | undefined;
  readonly now: Date;
}

/** `/rotations`: the identity as it stands and the recent records, newest first; `?limit=n` for the last n. */
export function rotationsDocument(url: URL, observed: Observed): AdminResponse {
  const limit = parseLimit(url.searchParams.get("limit"));
  if (limit === undefined) return { status: 400, body: `{"error":"limit is not a number from 1 to 1000"}\n` };
  const { rotation, source, connections, now } = observed;
  const current = source.current();
  const open = [...(connections?.() ?? [])].sort(([a], [b]) => b - a);
  const document = {
    at: now,
    identity: {
      name: current.identity,
      generation: current.number,
      serialNumber: current.leaf.serialNumber,
      sha256: current.leaf.sha256,
      notBefore: current.notBefore,
      notAfter: current.notAfter,
      trustSha256: current.trust.sha256,
      trustedAuthorities: current.trust.certificates.length,
      deliveredAt: current.deliveredAt,
    },
    source: source.status(),
    status: rotation.status(),
    ...(connections === undefined
      ? {}
      : { connections: open.map(([generation, count]) => ({ generation, count })) }),
    rotations: rotation.recent().slice(-limit).reverse().map(describeRecord),
  };
  return { body: `${JSON.stringify(document, null, 2)}\n` };
}

function parseLimit(text: string | null): number | undefined {
  if (text === null) return 1_000;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= 1_000 ? limit : undefined;
}
