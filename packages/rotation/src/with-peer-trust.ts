import { createHash } from "node:crypto";
import type { Clock } from "./clock.ts";
import { RotationError } from "./error.ts";
import { type CheckedIdentity, contentSha256, type Generation } from "./generation.ts";
import { createIdentityHolder, type IdentityHolder } from "./identity-holder.ts";
import type { IdentitySource, Refusal } from "./identity-source.ts";
import { createBroadcast } from "./internal/broadcast.ts";
import { mergeStatus } from "./internal/merge-status.ts";
import type { Logger } from "./logger.ts";
import { type PeerTrust, trustByBundle } from "./peer-trust.ts";

/** Whom a source trusts at one moment. */
export type PeerAnchors = Pick<Generation, "trust" | "peerTrust" | "crls" | "withdrawn">;

/** Where the trust in peers comes from: any identity source, of which the identity itself is not used, or bundles alone. */
export interface PeerTrustSource {
  /** Synchronous; the same object while nothing has changed. */
  current(): PeerAnchors;
  /** Yields when there is something new, whatever it yields. */
  watch(signal?: AbortSignal): AsyncIterable<unknown>;
  reload(): Promise<void>;
  status?: IdentitySource["status"];
  refusals?: IdentitySource["refusals"];
}

/**
 * One identity that is shown and another's trust, as one source: a server with a certificate of the web, say, whose
 * clients have SVIDs. The certificate, and the trust and revocation lists of its own chain, are those of `identity`;
 * peers are verified by `peers`. Its generations have numbers of their own. Withdrawn while either is; over once
 * either is. Disposal closes neither.
 */
export function withPeerTrust(
  identity: IdentitySource,
  peers: PeerTrustSource,
  options: { readonly clock?: Clock; readonly logger?: Logger } = {},
): IdentitySource {
  const holder = createIdentityHolder(options);
  const refusals = createBroadcast<Refusal>();
  const control = new AbortController();
  const { signal } = control;
  const combine = combiner(identity, peers, holder);
  const update = (): void => {
    if (!signal.aborted) combine();
  };
  const end = (): void => {
    control.abort();
    holder.close();
    refusals.close();
  };
  const follow = async (changes: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of changes) update();
    end();
  };
  const passOn = async (refused: AsyncIterable<Refusal> | undefined): Promise<void> => {
    for await (const refusal of refused ?? [])
      refusals.publish(Object.freeze({ ...refusal, kept: holder.current()?.number }));
  };
  combine();
  const source = holder.asSource({
    async reload() {
      await Promise.all([identity.reload(), peers.reload()]);
      update();
    },
    async close() {
      end();
      await following;
    },
  });
  const following = Promise.all([
    follow(identity.watch(signal)),
    follow(peers.watch(signal)),
    passOn(identity.refusals(signal)),
    passOn(peers.refusals?.(signal)),
    passOn(source.refusals(signal)),
  ]);
  return {
    ...source,
    // Not only once the sources' own news have made their way here: nobody is trusted a moment longer.
    current() {
      update();
      return source.current();
    },
    watch(until) {
      update();
      return source.watch(until);
    },
    refusals: (until) => refusals.subscribe({ capacity: REFUSALS_KEPT, signal: until }),
    status() {
      update();
      return mergeStatus(source.status(), [identity.status(), ...(peers.status ? [peers.status()] : [])]);
    },
  };
}

const REFUSALS_KEPT = 64;

/** Brings the holder up to what both sources have now. Each has checked its own part: there is no gate to pass again. */
function combiner(identity: IdentitySource, peers: PeerTrustSource, holder: IdentityHolder): () => void {
  let own: Generation | undefined;
  let anchors: PeerAnchors | undefined;
  return () => {
    const isNew = own !== identity.current();
    if (!isNew && anchors === peers.current()) return;
    own = identity.current();
    anchors = peers.current();
    const withdrawn = own.withdrawn ?? withdrawnPeers(anchors);
    if (withdrawn === undefined || !holder.current()) {
      offer(checkedIdentity(own, anchors), isNew ? own.deliveredAt : undefined, holder);
    }
    if (withdrawn !== undefined) holder.withdraw(withdrawn);
  };
}

function offer(checked: CheckedIdentity, deliveredAt: Date | undefined, holder: IdentityHolder): void {
  const { leaf, chain, key, trust, peerTrust } = checked;
  const material = { certificates: [leaf, ...chain], key, trust, ...(peerTrust && { peerTrust }) };
  const unchanged = contentSha256(checked) === holder.current()?.contentSha256;
  const result = holder.offer(material, deliveredAt, {
    ok: true,
    identity: checked,
    unchanged,
    warnings: [],
  });
  if (result.outcome === "refused" && !holder.current()) {
    holder.close();
    throw new RotationError("ERR_ROTATION_NO_IDENTITY", result.refusal.message);
  }
}

function checkedIdentity(own: Generation, anchors: PeerAnchors): CheckedIdentity {
  const { leaf, chain, key, trust, crls } = own;
  return { leaf, chain, key, trust, crls, peerTrust: peerTrustOf(anchors) };
}

function peerTrustOf({ trust, peerTrust, crls }: PeerAnchors): PeerTrust {
  const judge = peerTrust ?? trustByBundle(trust);
  const lists = judge.crls ?? crls;
  const contents = [judge.sha256, ...lists.map(({ sha256 }) => sha256).sort()].join();
  return Object.freeze({
    sha256: createHash("sha256").update(contents).digest("hex"),
    certificates: judge.certificates,
    crls: lists,
    select: (leaf) => judge.select(leaf),
    objection: (path) => judge.objection(path),
  } satisfies PeerTrust);
}

function withdrawnPeers({ withdrawn }: PeerAnchors): string | undefined {
  return withdrawn === undefined ? undefined : `the trust in peers was taken away: ${withdrawn}`;
}
