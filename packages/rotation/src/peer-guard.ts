import {
  type Certificate,
  type PathFailure,
  parseCertificate,
  type TrustBundle,
  validatePath,
  X509Error,
} from "@newleaf/x509";
import type { Clock } from "./clock.ts";
import type { Generation } from "./generation.ts";
import { createBoundedCache } from "./internal/bounded-cache.ts";
import type { PeerTrustObjection } from "./peer-trust.ts";
import type { RejectionCode } from "./rejection.ts";
import { type Authorizer, onlyCommonName, type VerifiedPeer } from "./verified-peer.ts";

/** What of a generation a peer is judged by. */
export type GuardTrust = Pick<Generation, "number" | "chain" | "trust" | "peerTrust" | "crls">;

/** What TLS shows of the other side. OpenSSL has checked that it holds the leaf's key, or the ticket's secret. */
export interface PresentedPeer {
  /** SHA-256 of the leaf, upper-case hex with colons as node:crypto has it; undefined when there is no leaf. */
  readonly fingerprint: string | undefined;
  /** DER of the leaf. Read only when it is not known yet. */
  readonly leaf: () => Uint8Array | undefined;
  /** DER of what the peer sent above its leaf. Read only when needed; empty for resumed sessions. */
  readonly chain: () => readonly Uint8Array[];
  readonly resumed: boolean;
  readonly address: string;
}

export type GuardVerdict =
  | { readonly ok: true; readonly peer: VerifiedPeer }
  | {
      readonly ok: false;
      readonly code: RejectionCode;
      readonly message: string;
      readonly leaf: Certificate | undefined;
    };

/**
 * Decides who comes in, by our own path validation against one generation's trust and revocation lists and by the
 * authorizer; for full handshakes, resumed sessions and open connections alike. Fails closed: an authorizer that
 * throws, or answers anything but `true`, has said no.
 */
export interface PeerGuard {
  admit(presented: PresentedPeer, generation: GuardTrust): GuardVerdict;
  /** The same question for a peer that is connected already. */
  recheck(peer: VerifiedPeer, generation: GuardTrust): GuardVerdict;
}

type Objection = PathFailure | ({ readonly ok: false } & PeerTrustObjection);

/** A validated path, good for everyone who shows this leaf, within its times, while anchor and lists stay. */
interface ValidPath {
  readonly leaf: Certificate;
  readonly path: readonly Certificate[];
  readonly anchor: Certificate;
  readonly validFrom: number;
  readonly validUntil: number;
  readonly generation: number;
  readonly crls: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
}

const LONGEST_CHAIN = 8;
const DEFAULT_CACHE_SIZE = 4_096;
const INTERMEDIATES_KEPT = 256;

export function createPeerGuard(options: {
  readonly authorize: Authorizer;
  readonly clock: Clock;
  /** What the peers must be good for: "clientAuth" unless given. */
  readonly purpose?: "clientAuth" | "serverAuth";
  /** Peers whose validated path is kept, at least: 4,096, of some 4 KB each. */
  readonly cacheSize?: number;
}): PeerGuard {
  const { authorize, clock, purpose = "clientAuth" } = options;
  const party = purpose === "clientAuth" ? "client" : "server";
  const paths = createBoundedCache<string, ValidPath>(options.cacheSize ?? DEFAULT_CACHE_SIZE);
  const pool = createBoundedCache<string, Certificate>(INTERMEDIATES_KEPT);

  const validate = (
    leaf: Certificate,
    readChain: () => readonly Certificate[],
    resumed: boolean,
    generation: GuardTrust,
  ) => {
    const trust = trustFor(leaf, generation);
    if ("code" in trust) return { ok: false, ...trust } as const;
    const { chain } = generation;
    const seen = [...pool.values()];
    const rules = {
      now: new Date(clock.now()),
      purpose,
      crls: listsFor(generation),
      knownIntermediates: [...chain, ...seen],
    } as const;
    const direct = validatePath(leaf, trust, rules);
    if (direct.ok) return direct;
    // A resumed peer has sent its intermediates the first time, when they went into the pool.
    const intermediates = resumed ? [...readChain(), ...seen] : readChain();
    return intermediates.length === 0 ? direct : validatePath(leaf, trust, { ...rules, intermediates });
  };

  const check = (
    key: string,
    leaf: Certificate,
    sent: () => readonly Uint8Array[],
    resumed: boolean,
    generation: GuardTrust,
  ): ValidPath | Objection => {
    const known = paths.get(key);
    // Whoever leaves out an intermediate is told so each time, not only until somebody has sent it.
    if (known && isGood(known, generation, clock.now()) && (resumed || isSent(known.path, sent))) {
      if (known.generation === generation.number) return known;
      const carried = { ...known, generation: generation.number };
      paths.set(key, carried);
      return carried;
    }
    const above = (): readonly Certificate[] => [
      ...readable(sent()),
      ...(resumed ? (known?.path.slice(1) ?? []) : []),
    ];
    const result = validate(leaf, above, resumed, generation);
    if (!result.ok) return result;
    const objection = generation.peerTrust?.objection(result.path);
    if (objection) return { ok: false, ...objection };
    const valid = describePath(leaf, result.path, result.validUntil, generation);
    paths.set(key, valid);
    for (const certificate of result.path.slice(1, -1)) pool.set(certificate.sha256, certificate);
    return valid;
  };

  const conclude = (
    found: ValidPath | Objection,
    leaf: Certificate,
    address: string,
    resumed: boolean,
  ): GuardVerdict => {
    if ("ok" in found) return { ok: false, code: found.code, message: found.message, leaf };
    const peer: VerifiedPeer = Object.freeze({
      leaf: found.leaf,
      path: found.path,
      validUntil: new Date(found.validUntil),
      generation: found.generation,
      dnsNames: found.dnsNames,
      uris: found.uris,
      commonName: onlyCommonName(found.leaf),
      address,
      resumed,
    });
    const objection = askAuthorizer(authorize, peer);
    return objection === undefined
      ? { ok: true, peer }
      : { ok: false, code: "not_allowed", message: objection, leaf: found.leaf };
  };

  return {
    admit({ fingerprint, leaf: readLeaf, chain, resumed, address }, generation) {
      let leaf: Certificate | undefined;
      try {
        const known = fingerprint === undefined ? undefined : paths.get(fingerprint);
        const der = known ? undefined : readLeaf();
        if (fingerprint === undefined || (!known && !der)) {
          return {
            ok: false,
            code: "no_certificate",
            message: `the ${party} presented no certificate`,
            leaf,
          };
        }
        leaf = known?.leaf ?? parseCertificate(der ?? new Uint8Array());
        const found = check(fingerprint, leaf, chain, resumed, generation);
        return conclude(found, leaf, address, resumed);
      } catch (error) {
        // Whatever goes wrong with a stranger's certificate must neither let it in nor end the process.
        const why = error instanceof Error ? error.message : String(error);
        const message = `the ${party}'s certificate cannot be judged: ${why}`;
        return { ok: false, code: "bad_certificate", message, leaf };
      }
    },
    recheck({ leaf, path, address, resumed }, generation) {
      const found = check(
        fingerprintOf(leaf),
        leaf,
        () => path.slice(1).map(({ der }) => der),
        resumed,
        generation,
      );
      return conclude(found, leaf, address, resumed);
    },
  };
}

function trustFor(leaf: Certificate, { trust, peerTrust }: GuardTrust): TrustBundle | PeerTrustObjection {
  return peerTrust ? peerTrust.select(leaf) : trust;
}

function listsFor({ crls, peerTrust }: GuardTrust): GuardTrust["crls"] {
  return peerTrust?.crls ?? crls;
}

/** Whether the peer sent every intermediate of the path. */
function isSent(path: readonly Certificate[], sent: () => readonly Uint8Array[]): boolean {
  if (path.length <= 2) return true;
  const chain = sent();
  return path.slice(1, -1).every(({ der }) => chain.some((octets) => Buffer.compare(octets, der) === 0));
}

function isGood(valid: ValidPath, generation: GuardTrust, now: number): boolean {
  if (now > valid.validUntil || now < valid.validFrom) return false;
  if (valid.generation === generation.number) return true;
  const trust = trustFor(valid.leaf, generation);
  return !("code" in trust) && trust.has(valid.anchor) && valid.crls === revocationLists(generation);
}

function describePath(
  leaf: Certificate,
  path: readonly Certificate[],
  validUntil: Date,
  generation: GuardTrust,
): ValidPath {
  const names = (type: "dns" | "uri"): readonly string[] =>
    Object.freeze(leaf.subjectAltNames.flatMap((name) => (name.type === type ? [name.value] : [])));
  return {
    leaf,
    path: Object.freeze([...path]),
    anchor: path.at(-1) ?? leaf,
    validFrom: Math.max(...path.map(({ notBefore }) => notBefore.getTime())),
    validUntil: validUntil.getTime(),
    generation: generation.number,
    crls: revocationLists(generation),
    dnsNames: names("dns"),
    uris: names("uri"),
  };
}

function askAuthorizer(authorize: Authorizer, peer: VerifiedPeer): string | undefined {
  try {
    if (authorize(peer) === true) return undefined;
  } catch (error) {
    return `the authorizer failed: ${error instanceof Error ? error.message : String(error)}`;
  }
  const { dnsNames, uris, commonName } = peer;
  const names = [...uris, ...dnsNames, ...(commonName === undefined ? [] : [`CN=${commonName}`])];
  return `not allowed: ${names.join(", ") || "a certificate without names"}`;
}

/** What of the chain can be read: a peer may send anything above its leaf, and only what is used has to be sound. */
function readable(chain: readonly Uint8Array[]): readonly Certificate[] {
  return chain.slice(0, LONGEST_CHAIN).flatMap((der) => {
    try {
      return [parseCertificate(der)];
    } catch (error) {
      if (error instanceof X509Error) return [];
      throw error;
    }
  });
}

function fingerprintOf({ sha256 }: Certificate): string {
  return (sha256.toUpperCase().match(/../g) ?? []).join(":");
}

const listsOf = new WeakMap<GuardTrust, string>();

function revocationLists(generation: GuardTrust): string {
  let lists = listsOf.get(generation);
  if (lists === undefined) {
    lists = listsFor(generation)
      .map(({ sha256 }) => sha256)
      .sort()
      .join();
    listsOf.set(generation, lists);
  }
  return lists;
}
