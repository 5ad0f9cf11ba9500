// Verifies SVIDs with @newleaf/spiffe. The first line that it reads is the material, each further one for how long one
// way is to be gone; the Go program of peers/go-spiffe does the same.
import { X509Certificate } from "node:crypto";
import { createInterface } from "node:readline";
import {
  createIdentityHolder,
  createPeerGuard,
  type Generation,
  type PresentedPeer,
  systemClock,
} from "@newleaf/rotation";
import {
  createSpiffePeerTrust,
  parseJwtBundle,
  parseX509Authorities,
  parseX509Svid,
  spiffe,
  verifyJwtSvid,
  verifyX509Svid,
  type X509Bundles,
} from "@newleaf/spiffe";
import { type Certificate, createTrustBundle, parseCertificate } from "@newleaf/x509";

export interface VerifyMaterial {
  readonly trustDomain: string;
  /** Several SVIDs of one authority each; DER in base64. The key is of the first. */
  readonly chains: Readonly<
    Record<
      string,
      { readonly bundle: string; readonly key: string; readonly svids: readonly (readonly string[])[] }
    >
  >;
  readonly jwt: { readonly bundle: object; readonly audience: string; readonly tokens: readonly string[] };
}

export interface VerifyTurn {
  readonly way: string;
  readonly ms: number;
}

export interface VerifyTally {
  readonly count: number;
  readonly wallMs: number;
  /** User and system time of all threads. */
  readonly cpuMs: number;
}

interface Way {
  readonly run: (index: number) => unknown;
  /** Makes a new stock of so many things to run with, and is not timed. */
  readonly refill?: () => void;
}

const stock = 200;

async function main(): Promise<void> {
  let ways: Readonly<Record<string, Way>> | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    if (ways === undefined) {
      ways = waysOf(JSON.parse(line) as VerifyMaterial);
      answer({ ways: Object.keys(ways) });
      continue;
    }
    const { way, ms } = JSON.parse(line) as VerifyTurn;
    const chosen = ways[way];
    if (chosen === undefined) throw new Error(`no way ${way}`);
    answer(await measure(chosen, ms));
  }
}

function answer(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function measure({ run, refill }: Way, forMs: number): Promise<VerifyTally> {
  let [count, wallMs, cpuMs] = [0, 0, 0];
  do {
    refill?.();
    const [begin, cpuBefore] = [performance.now(), process.cpuUsage()];
    for (
      let index = 0;
      index < stock && (index === 0 || wallMs + performance.now() - begin < forMs);
      index += 1
    ) {
      const result = run(count);
      if (result instanceof Promise) await result;
      count += 1;
    }
    wallMs += performance.now() - begin;
    const { user, system } = process.cpuUsage(cpuBefore);
    cpuMs += (user + system) / 1_000;
  } while (wallMs < forMs);
  return { count, wallMs, cpuMs };
}

function waysOf({ trustDomain, chains, jwt }: VerifyMaterial): Record<string, Way> {
  const x509 = Object.entries(chains).flatMap(([name, { bundle, key, svids }]) => {
    const anchors = createTrustBundle(parseX509Authorities(Buffer.from(bundle, "base64")));
    const bundles: X509Bundles = new Map([[trustDomain, anchors]]);
    const ders = svids.map((svid) => svid.map((der) => new Uint8Array(Buffer.from(der, "base64"))));
    const generation = generationOf(ders[0] ?? [], Buffer.from(key, "base64"), bundles);
    return Object.entries({
      [`verify, ${name}`]: verifyParsed(ders, bundles),
      [`parse and verify, ${name}`]: {
        run: (index) =>
          verify(
            (ders[index % ders.length] ?? []).map((der) => parseCertificate(der)),
            bundles,
          ),
      },
      [`peer, ${name}`]: admit(ders, generation, trustDomain, 1),
      [`peer known, ${name}`]: admit(ders, generation, trustDomain, ders.length),
    } satisfies Record<string, Way>);
  });
  const jwtBundles = new Map([[trustDomain, parseJwtBundle(trustDomain, JSON.stringify(jwt.bundle))]]);
  const { audience, tokens } = jwt;
  const verifyToken = async (token = ""): Promise<void> => {
    const verdict = await verifyJwtSvid(token, jwtBundles, { audience, now: new Date() });
    if (!verdict.ok) throw new Error(verdict.message);
  };
  return { ...Object.fromEntries(x509), JWT: { run: (index) => verifyToken(tokens[index % tokens.length]) } };
}

function verify(chain: readonly Certificate[], bundles: X509Bundles): void {
  const verdict = verifyX509Svid(chain, bundles, { now: new Date(), purpose: "clientAuth" });
  if (!verdict.ok) throw new Error(verdict.message);
}

/** Each chain is of new objects, since signatures found good are remembered with those. */
function verifyParsed(ders: readonly (readonly Uint8Array[])[], bundles: X509Bundles): Way {
  let parsed: readonly Certificate[][] = [];
  return {
    refill: () => {
      parsed = Array.from({ length: stock }, (_, index) =>
        (ders[index % ders.length] ?? []).map((der) => parseCertificate(der)),
      );
    },
    run: (index) => verify(parsed[index % stock] ?? [], bundles),
  };
}

/** The peers come round in turn: a guard that keeps fewer of them has forgotten each when it is back. */
function admit(
  ders: readonly (readonly Uint8Array[])[],
  generation: Generation,
  trustDomain: string,
  cacheSize: number,
): Way {
  const guard = createPeerGuard({ authorize: spiffe.memberOf(trustDomain), clock: systemClock, cacheSize });
  const peers = ders.map(
    ([leaf = new Uint8Array(), ...above]): PresentedPeer => ({
      // TLS has computed it already.
      fingerprint: new X509Certificate(leaf).fingerprint256,
      leaf: () => leaf,
      chain: () => above,
      resumed: false,
      address: "192.0.2.1:4711",
    }),
  );
  return {
    run: (index) => {
      const peer = peers[index % peers.length];
      const verdict = peer && guard.admit(peer, generation);
      if (!verdict?.ok) throw new Error(verdict?.message);
    },
  };
}

function generationOf(chain: readonly Uint8Array[], key: Uint8Array, bundles: X509Bundles): Generation {
  const svid = parseX509Svid({ certificates: Buffer.concat(chain), key });
  const holder = createIdentityHolder();
  holder.offer({
    certificates: svid.certificates,
    key: svid.key,
    trust: bundles.get(svid.id.trustDomain.name) ?? createTrustBundle([]),
    peerTrust: createSpiffePeerTrust(bundles),
  });
  const generation = holder.current();
  if (generation === undefined) throw new Error("the SVID was refused");
  return generation;
}

await main();
