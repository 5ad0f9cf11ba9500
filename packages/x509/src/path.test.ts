import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type CertificateSpec,
  crl,
  days,
  dns,
  intermediate,
  issue,
  leaf,
  NOW,
  type Party,
  root,
} from "../test/certificate-factory.ts";
import { chain } from "../test/chain.ts";
import { randomGraph } from "../test/random-graphs.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { bitString, integer, nullValue, oid, sequence } from "./der-writer.ts";
import { X509Error } from "./error.ts";
import { EKU } from "./key-usage.ts";
import { type PathOptions, type PathResult, validatePath } from "./path.ts";
import { createTrustBundle } from "./trust-bundle.ts";

// What each rule of RFC 5280 accepts and refuses is in test/scenarios.ts; here is what the answers say and cost.

interface Given {
  readonly leaf: Certificate;
  readonly trust: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
}

function validate(given: Given, options: Partial<PathOptions> = {}): PathResult {
  const { leaf: own, trust, intermediates } = given;
  return validatePath(own, createTrustBundle(trust), {
    now: NOW,
    purpose: "clientAuth",
    intermediates,
    ...options,
  });
}

function codeOf(result: PathResult): string {
  return result.ok ? "ok" : result.code;
}

const certificates = (...parties: readonly Party[]) => parties.map(({ certificate }) => certificate);

describe("a valid path", () => {
  test("runs from the leaf to the anchor and holds until the first of them ends", () => {
    const made = chain({ cas: [{ to: days(20) }, {}], leaf: { to: days(25) } });
    expect(validate(made)).toEqual({
      ok: true,
      path: [made.leaf, ...made.intermediates.toReversed(), ...made.trust],
      validUntil: days(20),
    });
  });

  test("holds no longer than the revocation lists that were used for it", () => {
    const made = chain({ cas: [{}], leaf: { to: days(2) } });
    const crls = (nextUpdate: Date) => [
      crl(made.root, { nextUpdate }),
      ...made.cas.map((party) => crl(party)),
    ];
    expect(validate(made, { crls: crls(days(1)) })).toMatchObject({ ok: true, validUntil: days(1) });
    expect(validate(made, { crls: crls(days(3)) })).toMatchObject({ ok: true, validUntil: days(2) });
  });

  test("ends at the first certificate that is in the bundle", () => {
    const made = chain({ cas: [{}, {}] });
    const anchor = made.intermediates[1];
    const result = validate({ ...made, trust: [...made.trust, ...made.intermediates] });
    expect(result).toMatchObject({ ok: true, path: [made.leaf, anchor] });
  });

  test("for any purpose leaves the extended key usage unchecked", () => {
    const made = chain({ leaf: { purposes: [EKU.codeSigning] } });
    expect(codeOf(validate(made))).toBe("wrong_usage");
    expect(codeOf(validate(made, { purpose: "any" }))).toBe("ok");
  });

  test("needs no revocation list when none is given", () => {
    expect(codeOf(validate(chain(), { crls: [] }))).toBe("ok");
  });
});

describe("a failure", () => {
  test("names the certificate that broke the rule", () => {
    const made = chain({ cas: [{ subject: "CN=sub,O=Shop", to: days(-1) }] });
    expect(validate(made)).toEqual({
      ok: false,
      code: "expired",
      certificate: made.intermediates[0],
      message: `"CN=sub,O=Shop" expired at ${days(-1).toISOString()}`,
    });
  });

  test("names a leaf without a subject by its first alternative name", () => {
    const made = chain({ leaf: { subject: "", keyName: "leaf", names: [dns("a.example")], from: days(1) } });
    expect(validate(made)).toMatchObject({
      message: `"a.example" is not valid before ${days(1).toISOString()}`,
    });
  });

  test("of a revoked certificate says when and why", () => {
    const made = chain();
    const crls = [crl(made.root, { revoked: [{ certificate: made.leaf, reason: 1, date: days(-1) }] })];
    expect(validate(made, { crls })).toMatchObject({
      code: "revoked",
      message: `"CN=leaf" was revoked at ${days(-1).toISOString()} (keyCompromise)`,
    });
  });

  test("of an unsupported list says what is not supported about it", () => {
    const made = chain();
    const extra = [{ oid: "2.5.29.27", critical: true, value: Uint8Array.of(2, 1, 1) }];
    expect(validate(made, { crls: [crl(made.root, { extra })] })).toMatchObject({
      code: "crl_missing",
      message:
        'no revocation list of CN=root for "CN=leaf": the newest one is a delta list, which is not supported',
    });
  });

  test("is the certificate nearest to the trust bundle when the chain leads nowhere", () => {
    const made = chain({ cas: [{}, {}] });
    const result = validate({ ...made, trust: [] });
    expect(result).toMatchObject({ code: "unknown_authority", certificate: made.intermediates[0] });
  });

  test("says that a root is not trusted when it was sent along", () => {
    const made = chain();
    expect(validate({ ...made, trust: [], intermediates: made.trust })).toMatchObject({
      code: "unknown_authority",
      message: '"CN=root" is self-signed and not in the trust bundle',
    });
  });

  test("of an impostor with the name of a trusted root is an unknown authority, not a bad signature", () => {
    const impostor = chain({ root: { keyName: "impostor", subjectKeyIdentifier: null } });
    const genuine = root({ subject: "root", subjectKeyIdentifier: null });
    const result = validate({ ...impostor, trust: certificates(genuine), intermediates: impostor.trust });
    expect(codeOf(result)).toBe("unknown_authority");
  });

  test("of a leaf in the bundle that names another issuer is that its issuer is unknown", () => {
    const own = issue(undefined, { subject: "leaf", issuer: "somebody", ca: false }).certificate;
    expect(codeOf(validate({ leaf: own, trust: [own], intermediates: [] }))).toBe("unknown_authority");
  });

  test("about the leaf itself counts only when it leads to the bundle", () => {
    const made = chain({ leaf: { to: days(-1) } });
    expect(codeOf(validate(made))).toBe("expired");
    expect(codeOf(validate({ ...made, trust: [] }))).toBe("unknown_authority");
  });

  test("is the same one whichever of several paths is tried first", () => {
    // One key, certified by three roots in three ways that are all unacceptable.
    const roots = ["a", "b", "c"].map((subject) => root({ subject }));
    const wrong: readonly Partial<CertificateSpec>[] = [
      { to: days(-1) },
      { ca: false },
      { usages: ["cRLSign"] },
    ];
    const subs = wrong.map((spec, i) =>
      intermediate(roots[i] ?? root({ subject: "a" }), { subject: "sub", ...spec }),
    );
    const [first = root({ subject: "a" })] = subs;
    const given = { leaf: leaf(first).certificate, trust: certificates(...roots) };
    for (const order of permutations(certificates(...subs))) {
      expect(codeOf(validate({ ...given, intermediates: order }))).toBe("not_a_ca");
    }
  });

  test("comes of a clock that shows no time", () => {
    expect(codeOf(validate(chain(), { now: new Date(Number.NaN) }))).toBe("not_yet_valid");
  });
});

describe("an intermediate that the peer did not send", () => {
  test("is an incomplete chain when it is known from elsewhere", () => {
    const made = chain({ cas: [{}, {}] });
    const [upper, lower] = made.intermediates;
    const given = { ...made, intermediates: lower === undefined ? [] : [lower] };
    const result = validate(given, { knownIntermediates: upper === undefined ? [] : [upper] });
    expect(result).toMatchObject({
      code: "chain_incomplete",
      certificate: lower,
      message: 'the chain lacks "CN=ca 1" above "CN=ca 2"',
    });
  });

  test("is never used for the path", () => {
    const made = chain({ cas: [{}] });
    const result = validate({ ...made, intermediates: [] }, { knownIntermediates: made.intermediates });
    expect(result).toMatchObject({ ok: false, code: "chain_incomplete", certificate: made.leaf });
  });

  test("stays an unknown authority when the known ones do not help", () => {
    const made = chain({ cas: [{}] });
    const other = chain({ root: { subject: "other" }, cas: [{ subject: "other ca" }] });
    const result = validate({ ...made, intermediates: [] }, { knownIntermediates: other.intermediates });
    expect(codeOf(result)).toBe("unknown_authority");
  });

  test("does not matter when the chain is complete", () => {
    const made = chain({ cas: [{}] });
    expect(codeOf(validate(made, { knownIntermediates: made.intermediates }))).toBe("ok");
  });
});

describe("limits", () => {
  /** CAs that have all certified each other: the number of ways through them grows with their factorial. */
  function mesh(size: number): readonly Certificate[] {
    const names = Array.from({ length: size }, (_, i) => `mesh ${i}`);
    const parties = names.map((subject) => root({ subject }));
    return parties.flatMap((issuer) =>
      certificates(...names.map((subject) => intermediate(issuer, { subject }))),
    );
  }

  test("a mesh of cross-certificates is given up after a hundred signature checks", () => {
    const intermediates = mesh(9);
    const own = leaf(root({ subject: "mesh 0" })).certificate;
    const started = performance.now();
    const result = validate({ leaf: own, trust: certificates(root({ subject: "root" })), intermediates });
    expect(result).toMatchObject({ code: "limit", certificate: own });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("a trusted way out of a mesh is found", () => {
    const intermediates = mesh(6);
    const trust = certificates(root({ subject: "mesh 3" }));
    expect(
      codeOf(validate({ leaf: leaf(root({ subject: "mesh 0" })).certificate, trust, intermediates })),
    ).toBe("ok");
  });

  test("an issuer with a key of 16384 bits is not asked", () => {
    const modulus = new Uint8Array(2048).fill(0xff);
    const numbers = sequence(integer(modulus), integer(65537));
    const spki = sequence(sequence(oid("1.2.840.113549.1.1.1"), nullValue()), bitString(numbers));
    const { certificate } = root({ subject: "root" });
    const issuer: Certificate = Object.create(certificate, {
      sha256: { value: "" },
      subjectPublicKeyInfo: { value: spki },
      publicKey: {
        get: () => {
          throw new Error("the key was used");
        },
      },
    });
    expect(validate({ ...chain(), trust: [], intermediates: [issuer] })).toMatchObject({
      code: "weak_key",
      message: '"CN=root" has an RSA key of 16384 bits with an exponent of 17 bits',
    });
  });

  test("thousands of names under thousands of constraints are not compared", () => {
    const excluded = Array.from({ length: 500 }, (_, i) => dns(`x${i}.org`));
    const names = Array.from({ length: 550 }, (_, i) => dns(`x${i}.com`));
    expect(codeOf(validate(chain({ root: { excluded }, leaf: { names } })))).toBe("limit");
  });
});

describe("repeated work", () => {
  test("the signature of a revocation list is checked once for its issuer", () => {
    const { root: authority, trust } = chain();
    const { list, reads } = countingReads(crl(authority));
    for (let i = 0; i < 3; i++) {
      const own = leaf(authority).certificate;
      expect(codeOf(validate({ leaf: own, trust, intermediates: [] }, { crls: [list] }))).toBe("ok");
    }
    expect(reads()).toBe(1);
  });

  test("a list that one key has signed still does not count for another", () => {
    const one = chain();
    const list = crl(one.root);
    expect(codeOf(validate(one, { crls: [list] }))).toBe("ok");
    const other = chain({ root: { keyName: "other" } });
    expect(codeOf(validate(other, { crls: [list] }))).toBe("crl_missing");
  });

  test("the key of a known intermediate is not imported anew for every peer that sends it", () => {
    const { cas, trust, intermediates } = chain({ cas: [{}] });
    const [authority = root({ subject: "root" })] = cas;
    for (let i = 0; i < 3; i++) {
      const sent = intermediates.map(({ der }) => parseCertificate(der));
      const given = { leaf: leaf(authority).certificate, trust, intermediates: sent };
      const result = validate(given, { knownIntermediates: intermediates });
      expect(result.ok && result.path[1]).toBe(intermediates[0]);
    }
  });

  function countingReads<
    T extends { readonly signature: Uint8Array; isRevoked(serialNumber: string): unknown },
  >(list: T): { list: T; reads: () => number } {
    let count = 0;
    const counting = Object.create(list, {
      signature: {
        get: () => {
          count++;
          return list.signature;
        },
      },
      isRevoked: { value: (serialNumber: string) => list.isRevoked(serialNumber) },
    });
    return { list: counting, reads: () => count };
  }
});

describe("properties", () => {
  const RUNS = { numRuns: 100 };

  test("a certificate with any octet changed is on no path", () => {
    const made = chain({ cas: [{}], root: { kind: "p384" } });
    const targets = [made.leaf, ...made.intermediates];
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.nat({ max: 1 }),
        (position, change, which) => {
          const changed = tryChange(targets[which]?.der ?? made.leaf.der, position, change);
          if (changed === undefined) return;
          const given = which === 0 ? { ...made, leaf: changed } : { ...made, intermediates: [changed] };
          expect(validate(given).ok).toBe(false);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("a changed anchor never makes it throw", () => {
    const made = chain({ root: { permitted: [dns("example.com")], pathLength: 3 }, cas: [{}] });
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const changed = tryChange(made.root.certificate.der, position, change);
        if (changed !== undefined) expect(typeof validate({ ...made, trust: [changed] }).ok).toBe("boolean");
      }),
      { numRuns: 500 },
    );
  });

  test("the order of intermediates and anchors never changes the answer", () => {
    fc.assert(
      fc.property(fc.nat(), fc.infiniteStream(fc.nat()), (seed, numbers) => {
        const graph = randomGraph(seed, { authorities: 5, certificates: 6 });
        const shuffled = {
          leaf: graph.leaf,
          trust: shuffle(graph.trust, numbers),
          intermediates: shuffle([...graph.intermediates, ...graph.intermediates.slice(0, 2)], numbers),
        };
        expect(validate(shuffled)).toEqual(validate(graph));
      }),
      RUNS,
    );
  });

  test("a graph of CAs of any size is answered, with a path that holds together", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const graph = randomGraph(seed, { authorities: 8, certificates: 30 });
        const result = validate(graph);
        if (!result.ok) return;
        expect(result.path[0]).toBe(graph.leaf);
        expect(graph.trust).toContain(result.path.at(-1));
        expect(result.path.length).toBeLessThanOrEqual(10);
      }),
      RUNS,
    );
  });

  function tryChange(der: Uint8Array, position: number, change: number): Certificate | undefined {
    const octets = new Uint8Array(der);
    const at = position % octets.length;
    octets[at] = (octets[at] ?? 0) ^ change;
    try {
      return parseCertificate(octets);
    } catch (error) {
      expect(error).toBeInstanceOf(X509Error);
      return undefined;
    }
  }

  function shuffle<T>(values: readonly T[], numbers: Iterator<number>): readonly T[] {
    return values
      .map((value) => ({ value, at: Number(numbers.next().value) }))
      .sort((a, b) => a.at - b.at)
      .map(({ value }) => value);
  }
});

function permutations<T>(values: readonly T[]): readonly (readonly T[])[] {
  if (values.length < 2) return [values];
  return values.flatMap((value, i) =>
    permutations([...values.slice(0, i), ...values.slice(i + 1)]).map((rest) => [value, ...rest]),
  );
}
