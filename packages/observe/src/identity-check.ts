import { type CheckResult, formatDuration } from "@newleaf/daemon";
import type { Generation, IdentitySource, Rotation } from "@newleaf/rotation";

/**
 * Whether this process can serve validly now: a generation is loaded, its certificates are valid at this
 * moment, and its revocation lists are current. A refused update alone changes nothing: what was good still
 * serves, and the details say that it is stale.
 */
export function checkIdentity(rotation: Rotation, source: IdentitySource, now: Date): CheckResult {
  const current = source.current();
  const { loaded, served, stalled } = rotation.status();
  const { stale, withdrawn, lastRefusal, refusals, warnings } = source.status();
  const details = {
    generation: current.number,
    identity: current.identity,
    notAfter: current.notAfter.toISOString(),
    expiresInSeconds: Math.round((current.notAfter.getTime() - now.getTime()) / 1_000),
    loaded,
    served,
    stale,
    ...(withdrawn === undefined ? {} : { withdrawn }),
    ...(stalled === undefined ? {} : { stalled }),
    ...(lastRefusal === undefined ? {} : { lastRefusal }),
    refusals,
    warnings,
  };
  const taken =
    withdrawn === undefined ? undefined : `the identity ${current.identity} was withdrawn: ${withdrawn}`;
  const problem = taken ?? notLoaded(rotation, current, now) ?? notValid(current, now);
  if (problem === undefined) return { ok: true, details };
  const because =
    stale && lastRefusal !== undefined ? `; the last update was refused: ${lastRefusal.message}` : "";
  return { ok: false, reason: `${problem}${because}`, details };
}

/** While the newest generation is being loaded, the one before it serves: that is ready as long as it is valid. */
function notLoaded(rotation: Rotation, current: Generation, now: Date): string | undefined {
  const { loaded, stalled } = rotation.status();
  if (loaded === undefined) {
    return stalled === undefined
      ? "no identity is loaded yet"
      : `no identity could be loaded: ${stalled.message}`;
  }
  if (loaded >= current.number) return undefined;
  const before = rotation
    .recent()
    .findLast((record) => record.generation === loaded && record.outcome !== "refused");
  if (before === undefined || before.notAfter.getTime() > now.getTime()) return undefined;
  return `generation ${loaded} ${expired(before.notAfter, now)} and generation ${current.number} is not loaded yet`;
}

function notValid(current: Generation, now: Date): string | undefined {
  const at = now.getTime();
  if (at >= current.notAfter.getTime())
    return `the certificate of ${current.identity} ${expired(current.notAfter, now)}`;
  if (at < current.notBefore.getTime()) {
    return `the certificate of ${current.identity} is not valid before ${current.notBefore.toISOString()}: check the clock`;
  }
  const list = current.crls.find(({ nextUpdate }) => nextUpdate !== undefined && nextUpdate.getTime() <= at);
  return list?.nextUpdate === undefined ? undefined : `a revocation list ${expired(list.nextUpdate, now)}`;
}

function expired(date: Date, now: Date): string {
  const seconds = Math.floor((now.getTime() - date.getTime()) / 1_000);
  return `expired ${formatDuration(seconds * 1_000)} ago (${date.toISOString()})`;
}
