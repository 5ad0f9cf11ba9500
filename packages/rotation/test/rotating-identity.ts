import {
  createTestAuthority,
  type TestAuthority,
  type TestIdentity,
  type TestIssueOptions,
} from "@newleaf/testing";
import type { Certificate } from "@newleaf/x509";
import type { Clock } from "../src/clock.ts";
import type { Generation } from "../src/generation.ts";
import { createIdentityHolder } from "../src/identity-holder.ts";
import type { IdentitySource } from "../src/identity-source.ts";

export interface RotatingIdentity extends AsyncDisposable {
  readonly source: IdentitySource;
  readonly authority: TestAuthority;
  /** What was offered last. */
  readonly leaf: TestIdentity;
  /** Offers a new leaf, of this authority and with this trust bundle from now on. */
  rotate(change?: Change): Generation;
  /** Another trust bundle for the same leaf. */
  trust(certificates: readonly Certificate[]): Generation;
  /** Offers a leaf with somebody else's key. */
  spoil(): void;
}

interface Change {
  readonly authority?: TestAuthority;
  readonly trust?: readonly Certificate[];
  readonly issue?: TestIssueOptions;
  /** This one, instead of a new one. */
  readonly leaf?: TestIdentity;
}

/** A source that rotates when told to, in memory. */
export function createRotatingIdentity(
  options: {
    readonly clock?: Clock;
    readonly authority?: TestAuthority;
    readonly issue?: TestIssueOptions;
  } = {},
): RotatingIdentity {
  const { clock } = options;
  let authority = options.authority ?? createTestAuthority(clock ? { now: clock.now } : {});
  let trusted = authority.certificates;
  let leaf = authority.issue(options.issue);
  const holder = createIdentityHolder(clock ? { clock } : {});
  const offer = (): Generation => {
    const result = holder.offer({ certificates: leaf.chainPem, key: leaf.key, trust: trusted });
    if (result.outcome === "refused") throw new Error(result.refusal.message);
    return result.generation;
  };
  offer();
  const source = holder.asSource({ reload: async () => {}, close: async () => {} });
  return {
    source,
    authority,
    get leaf() {
      return leaf;
    },
    rotate(change = {}) {
      authority = change.authority ?? authority;
      trusted = change.trust ?? trusted;
      leaf = change.leaf ?? authority.issue({ ...options.issue, ...change.issue });
      return offer();
    },
    trust(certificates) {
      trusted = certificates;
      return offer();
    },
    spoil() {
      holder.offer({ certificates: leaf.chainPem, key: authority.issue().key, trust: trusted });
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}
