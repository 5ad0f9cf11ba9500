import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createTrustBundle, validatePath } from "../src/index.ts";
import { NOW } from "./certificate-factory.ts";
import { opensslVerify, opensslVersion, type PathCase } from "./openssl-verify.ts";
import { randomCase } from "./random-chains.ts";
import { allPaths, type Graph, randomGraph } from "./random-graphs.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

/**
 * Where this package and `openssl verify` answer differently on purpose, by scenario, with the reason. "stricter"
 * and "wider" are said of this package.
 */
const DISAGREEMENTS: Readonly<Record<string, string>> = {
  "6.1 leaf in the bundle without its CA":
    "stricter: -partial_chain makes any listed certificate an anchor; a CA-issued leaf must not outlive its CA's trust",
  "6.1 intermediate of two roots, root 1 trusted":
    "wider: openssl follows one issuer and does not go back to try the other cross-certificate",
  "4.1.2.5 last second": "wider: RFC 5280 counts notAfter into the period, openssl does not",
  "4.2.1.1 authority key identifier of another key":
    "wider: the identifier is a hint for path building, the signature decides; Go does the same",
  "4.2.1.9 anchor with key usage but without basicConstraints":
    "stricter: only version 1 may leave open whether it is a CA",
  "4.2.1.9 CA certificate as leaf": "stricter: a key that issues certificates must not serve as a peer",
  "4.2.1.9 root itself as leaf": "stricter: the same, for a root",
  "4.2.1.3 leaf with keyEncipherment only":
    "stricter: TLS 1.3 has no RSA key exchange; the server key must sign",
  "4.2.1.3 leaf with keyAgreement only": "stricter: TLS 1.3 has no static Diffie-Hellman",
  "4.2.1.12 leaf for any purpose": "wider: anyExtendedKeyUsage includes the purpose, as in Go",
  "4.2.1.12 CA for any purpose": "wider: the same, in a CA",
  "4.2.1.12 leaf for server gated crypto": "stricter: a usage of the export restrictions of the nineties",
  "4.2.1.10 dns: wildcard that covers the excluded":
    "stricter: the wildcard stands for the excluded name (CVE-2025-61727 in Go)",
  "4.2.1.10 dns: malformed name under a constraint": "stricter: what cannot be compared is refused",
  "4.2.1.10 dns: final dot under a constraint": "stricter: the final dot hides the name from the exclusion",
  "4.2.1.10 dns: wildcard as excluded base": "stricter: openssl lets such an exclusion exclude nothing",
  "4.2.1.10 uri: IPv6 host": "stricter: RFC 5280 wants IP hosts refused when URIs are constrained",
  "4.2.1.10 uri: IPv4 host": "stricter: the same",
  "4.2.1.10 uri: excluded host behind user information": "stricter: openssl takes the user for the host",
  "4.2.1.10 uri: excluded host before a query": "stricter: openssl takes the query into the host",
  "4.2.1.10 uri: empty base excludes all": "stricter: as for DNS names; openssl lets it exclude nothing",
  "4.2.1.10 email: quoted local part": "stricter: quoting hides the mailbox from the exclusion",
  "4.1.2.7 p224 key of the leaf": "stricter: TLS 1.3 has no signature scheme for this curve",
  "4.1.2.7 p224 key of a CA": "stricter: the same",
  "4.1.2.7 p224 key of the anchor": "stricter: the same",
  "4.1.2.7 secp256k1 key of the leaf": "stricter: the same for this curve",
  "4.1.2.7 secp256k1 key of a CA": "stricter: the same",
  "4.1.2.7 secp256k1 key of the anchor": "stricter: the same",
  "4.1.2.7 dsa key of the leaf": "stricter: TLS 1.3 has no DSA",
  "6.3 list without nextUpdate": "stricter: without nextUpdate nobody can say that the list is current",
  "6.3 delta list only":
    "stricter: a delta list says nothing about earlier revocations; openssl takes it as complete",
  "6.3 list for users only": "stricter: partitioned lists are not supported",
  "6.3 list signed with sha1": "stricter: openssl applies its security level to certificates only",
  "6.3 intermediate anchor needs no list of its issuer":
    "wider: an anchor is trusted as it is; -crl_check_all asks about it too",
};

const RANDOM_CHAINS = 400;
const RANDOM_GRAPHS = 60;
const FIRST_SEED = 5280;

const version = opensslVersion();
const comparable = version?.startsWith("OpenSSL 3.") === true;
const directory = mkdtempSync(join(tmpdir(), "newleaf-openssl-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const ask = (cases: readonly PathCase[]) => opensslVerify(cases, directory, availableParallelism());

describe.skipIf(!comparable)(
  `compared with openssl verify (needs the binary of OpenSSL 3; found: ${version})`,
  () => {
    test("every rule, kept and broken", async () => {
      const cases = SCENARIOS.flatMap(casesOf);
      const verdicts = await ask(cases);
      const seen = new Set<string>();
      const unexpected: string[] = [];
      for (const [index, one] of cases.entries()) {
        const [mine, theirs] = [verdictOf(one), verdicts[index]];
        if (mine.ok === theirs?.ok) continue;
        seen.add(one.name);
        if (DISAGREEMENTS[one.name] === undefined) unexpected.push(`${describeCase(one)}: ${theirs?.output}`);
      }
      expect(unexpected).toEqual([]);
      // Later releases may come round; with 3.0, which the list was made with, each entry must still be true.
      if (version?.startsWith("OpenSSL 3.0.") === true) {
        expect(Object.keys(DISAGREEMENTS).filter((name) => !seen.has(name))).toEqual([]);
      }
      expect(cases.length).toBeGreaterThan(500);
    }, 120_000);

    test(`${RANDOM_CHAINS} random chains with any number of faults`, async () => {
      const cases = Array.from({ length: RANDOM_CHAINS }, (_, i) => randomCase(FIRST_SEED + i));
      const verdicts = await ask(cases);
      const mine = cases.map(verdictOf);
      const different = cases.flatMap((one, index) =>
        mine[index]?.ok === verdicts[index]?.ok ? [] : [`${describeCase(one)}: ${verdicts[index]?.output}`],
      );
      expect(different).toEqual([]);
      const good = mine.filter(({ ok }) => ok).length;
      expect(good).toBeGreaterThan(RANDOM_CHAINS / 4);
      expect(good).toBeLessThan((RANDOM_CHAINS * 3) / 4);
    }, 120_000);

    // openssl does not try alternatives, so it is asked about every path of the graph on its own: there must be a
    // path that it accepts exactly when one is found here, and it must accept the one that is.
    test(`${RANDOM_GRAPHS} random graphs of CAs that certify each other`, async () => {
      const graphs = Array.from({ length: RANDOM_GRAPHS }, (_, i) =>
        randomGraph(FIRST_SEED + i, { authorities: 4, certificates: 4 }),
      );
      const paths = graphs.flatMap((graph, index) => allPaths(graph, 40).map((path) => ({ index, path })));
      const verdicts = await ask(paths.map(({ path }) => caseOfPath(path)));
      const accepted = graphs.map(() => new Set<string>());
      for (const [at, { index, path }] of paths.entries()) {
        if (verdicts[at]?.ok === true) accepted[index]?.add(identityOf(path));
      }
      const results = graphs.map((graph) =>
        validatePath(graph.leaf, createTrustBundle(graph.trust), optionsOf(graph)),
      );
      expect(results.map(({ ok }) => ok)).toEqual(accepted.map(({ size }) => size > 0));
      for (const [index, result] of results.entries()) {
        if (result.ok) expect(accepted[index]).toContain(identityOf(result.path));
      }
      expect(results.filter(({ ok }) => ok).length).toBeGreaterThan(RANDOM_GRAPHS / 5);
    }, 120_000);
  },
);

function casesOf(scenario: Scenario): readonly PathCase[] {
  const purposes =
    scenario.purpose === undefined ? (["clientAuth", "serverAuth"] as const) : [scenario.purpose];
  const given = scenario.given();
  return purposes.map((purpose) => ({
    now: NOW,
    ...given,
    purpose,
    strict: scenario.strict ?? false,
    name: scenario.name,
  }));
}

function verdictOf({ leaf, trust, intermediates, crls, purpose, now }: PathCase) {
  return validatePath(leaf, createTrustBundle(trust), { now, purpose, intermediates, crls: crls ?? [] });
}

function optionsOf({ intermediates }: Graph) {
  return { now: NOW, purpose: "any", intermediates } as const;
}

function caseOfPath(path: Graph["intermediates"]): PathCase {
  const [leaf, ...above] = path;
  const anchor = above.pop();
  if (leaf === undefined || anchor === undefined) throw new Error("a path has at least two certificates");
  return { name: "path", leaf, trust: [anchor], intermediates: above, purpose: "clientAuth", now: NOW };
}

function identityOf(path: Graph["intermediates"]): string {
  return path.map(({ sha256 }) => sha256).join(" ");
}

function describeCase(one: PathCase): string {
  const verdict = verdictOf(one);
  return `${one.name} (${one.purpose}): ${verdict.ok ? "ok" : `${verdict.code}, ${verdict.message}`}`;
}
