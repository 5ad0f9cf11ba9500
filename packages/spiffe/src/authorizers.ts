import type { Authorizer, VerifiedPeer } from "@newleaf/rotation";
import { SpiffeError } from "./error.ts";
import { asSpiffeId, asTrustDomain, parseSpiffeId, type SpiffeId, type TrustDomain } from "./spiffe-id.ts";

/**
 * Authorizers for peers that are X.509-SVIDs, for `authorize` and `authorizeServer` of `@newleaf/rotation`. Each says
 * no to a peer without exactly one URI name that is the SPIFFE ID of a workload. Each takes at least one argument
 * where it takes any: a list that allows nobody is taken for the mistake it is. They trust that the peer was verified
 * to its own trust domain's bundle, as `watchSpiffe` and `createSpiffePeerTrust` have it.
 */
export const spiffe: {
  /** Every workload of every trust domain that there is a bundle of. */
  any(): Authorizer;
  /** These IDs, octet for octet. */
  id(...ids: readonly (SpiffeId | string)[]): Authorizer;
  /** These IDs, and whoever one of these authorizers allows. */
  oneOf(...alternatives: readonly (SpiffeId | string | Authorizer)[]): Authorizer;
  /** Every workload of these trust domains. */
  memberOf(...trustDomains: readonly (TrustDomain | string)[]): Authorizer;
  /** Whoever `allows` says `true` to. */
  match(allows: (id: SpiffeId, peer: VerifiedPeer) => boolean): Authorizer;
} = Object.freeze({ any, id, oneOf, memberOf, match });

function any(): Authorizer {
  return match(() => true);
}

function id(...ids: readonly (SpiffeId | string)[]): Authorizer {
  const allowed = new Set(atLeastOne("id", ids).map((value) => `${workloadId(value)}`));
  return match((peerId) => allowed.has(`${peerId}`));
}

function oneOf(...alternatives: readonly (SpiffeId | string | Authorizer)[]): Authorizer {
  const authorizers = atLeastOne("oneOf", alternatives).map((alternative) =>
    typeof alternative === "function" ? alternative : id(alternative),
  );
  return (peer) => authorizers.some((authorize) => authorize(peer) === true);
}

function memberOf(...trustDomains: readonly (TrustDomain | string)[]): Authorizer {
  const allowed = new Set(atLeastOne("memberOf", trustDomains).map((value) => asTrustDomain(value).name));
  return match(({ trustDomain }) => allowed.has(trustDomain.name));
}

function match(allows: (id: SpiffeId, peer: VerifiedPeer) => boolean): Authorizer {
  return (peer) => {
    const peerId = spiffeIdOf(peer);
    return peerId !== undefined && allows(peerId, peer) === true;
  };
}

function spiffeIdOf({ uris: [uri, ...others] }: VerifiedPeer): SpiffeId | undefined {
  if (uri === undefined || others.length > 0) return undefined;
  try {
    const found = parseSpiffeId(uri);
    return found.path === "" ? undefined : found;
  } catch (error) {
    if (error instanceof SpiffeError) return undefined;
    throw error;
  }
}

/** No SVID has the ID of a trust domain, so whoever allows one means something else. */
function workloadId(value: SpiffeId | string): SpiffeId {
  const parsed = asSpiffeId(value);
  if (parsed.path !== "") return parsed;
  const message = `spiffe.id("${parsed}") would allow nobody: for all of a trust domain there is memberOf`;
  throw new SpiffeError("ERR_SPIFFE_OPTIONS", message);
}

function atLeastOne<T>(rule: string, entries: readonly T[]): readonly T[] {
  if (entries.length > 0) return entries;
  throw new SpiffeError("ERR_SPIFFE_OPTIONS", `spiffe.${rule}() without an argument would allow nobody`);
}
