import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createSpiffeAuthority } from "@newleaf/testing";
import { createRoot, createTrustBundle, type KeyAlgorithm } from "@newleaf/x509";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatSpiffeBundle, parseSpiffeBundle, type SpiffeBundle } from "./bundle.ts";
import { SpiffeError } from "./error.ts";
import { parseTrustDomain } from "./spiffe-id.ts";

const authority = createSpiffeAuthority();
const [root] = authority.x509Authorities;
const document = JSON.parse(authority.bundleDocument()) as { keys: Record<string, unknown>[] };
const entry = (use: string) => document.keys.find((key) => key.use === use) ?? {};
const [x509Key, jwtKey] = [entry("x509-svid"), entry("jwt-svid")];

function parse(value: object | string): SpiffeBundle {
  return parseSpiffeBundle("example.org", typeof value === "string" ? value : JSON.stringify(value));
}

function counts(...keys: readonly unknown[]): [x509: number, jwt: number] {
  const { x509Authorities, jwtAuthorities } = parse({ keys });
  return [x509Authorities.certificates.length, jwtAuthorities.size];
}

function refusal(value: object | string): string {
  try {
    parse(value);
  } catch (error) {
    if (error instanceof SpiffeError && error.code === "ERR_SPIFFE_BUNDLE") return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("a document has X.509 and JWT authorities, a sequence and a refresh hint", () => {
  const bundle = parse(authority.bundleDocument({ sequence: 42, refreshHintSeconds: 60 }));
  expect(bundle.trustDomain).toEqual(parseTrustDomain("example.org"));
  expect(bundle.x509Authorities.certificates).toEqual([root]);
  expect([...bundle.jwtAuthorities.keys()]).toEqual([jwtKey.kid]);
  expect(bundle.jwtAuthorities.get(String(jwtKey.kid))?.export({ format: "jwk" })).toEqual({
    crv: jwtKey.crv,
    kty: "EC",
    x: jwtKey.x,
    y: jwtKey.y,
  });
  expect(bundle).toMatchObject({ sequence: 42n, refreshHintSeconds: 60 });
  const octets = Buffer.from(authority.bundleDocument());
  expect(parseSpiffeBundle(parseTrustDomain("example.org"), octets).jwtAuthorities.size).toBe(1);
});

describe("SPIFFE Trust Domain and Bundle 4.1.1: the sequence has 64 bits", () => {
  const parsed = (number: string) => parse(`{"keys":[],"spiffe_sequence":${number}}`).sequence;
  test.each(["0", "1", "9007199254740993", "9223372036854775807", "18446744073709551615"])("%s", (number) =>
    expect(parsed(number)).toBe(BigInt(number)),
  );
  test("whatever stands around it", () => {
    const text =
      '{"x":{"spiffe_sequence":5},\n"spiffe_sequence" :\t9007199254740993 ,"keys":[{"spiffe_sequence":6}]}';
    expect(parse(text).sequence).toBe(9007199254740993n);
  });
  test.each(["18446744073709551616", "-1", "1.5", "1e3", '"1"', "true", "[1]", "{}"])(
    "but %s is none",
    (number) => expect(refusal(`{"keys":[],"spiffe_sequence":${number}}`)).toContain("spiffe_sequence"),
  );
  test("and it may be absent", () => {
    expect(parse({ keys: [] }).sequence).toBeUndefined();
    expect(parsed("null")).toBeUndefined();
  });
});

test("SPIFFE Trust Domain and Bundle 4.1.2: the refresh hint is an integer of seconds, and may be absent", () => {
  expect(parse({ keys: [], spiffe_refresh_hint: 300 }).refreshHintSeconds).toBe(300);
  expect(parse({ keys: [] }).refreshHintSeconds).toBeUndefined();
  for (const hint of [-1, 1.5, "300", 1e300]) {
    expect(refusal({ keys: [], spiffe_refresh_hint: hint })).toContain("spiffe_refresh_hint");
  }
});

test("SPIFFE Trust Domain and Bundle 4.1.3: keys is there, and empty means that nobody is trusted", () => {
  expect(parse({ keys: [] }).x509Authorities.certificates).toEqual([]);
  expect(parse({ keys: [] }).jwtAuthorities.size).toBe(0);
  for (const value of [{}, { keys: null }, { keys: {} }, { keys: [1] }, { keys: [null] }, { keys: [[]] }]) {
    expect(refusal(value)).toContain('"keys"');
  }
  for (const text of ["", "null", "[]", "{", '"keys"', `${authority.bundleDocument()}x`]) {
    expect(refusal(text)).toContain("JSON");
  }
});

test("SPIFFE Trust Domain and Bundle 4.1: members that are not defined change nothing", () => {
  expect(parse({ ...document, issuer: "x", spiffe_more: [1] }).x509Authorities.certificates).toHaveLength(1);
});

test("SPIFFE Trust Domain and Bundle 4.2.1: entries of unknown key type, or none, are passed over", () => {
  for (const kty of ["oct", "ML-DSA", "ec", "", 1, null, undefined]) {
    expect(counts({ ...x509Key, kty }, { ...jwtKey, kty, kid: "2" }, jwtKey)).toEqual([0, 1]);
  }
  // No algorithm of JWT-SVID section 2.1 has keys of this type.
  expect(counts({ ...jwtKey, kty: "OKP" })).toEqual([0, 0]);
});

test("SPIFFE Trust Domain and Bundle 4.2.2: entries of unknown use, or none, are passed over", () => {
  for (const use of ["sig", "X509-SVID", "x509-svid ", "wit-svid", "", 1, null, undefined]) {
    expect(counts({ ...x509Key, use }, { ...jwtKey, use }, jwtKey)).toEqual([0, 1]);
  }
});

test("X509-SVID 6.2: without x5c an entry is passed over, and only the first certificate counts", () => {
  expect(counts({ ...x509Key, x5c: undefined }, { ...x509Key, x5c: [] })).toEqual([0, 0]);
  const [first] = x509Key.x5c as string[];
  const other = Buffer.from(createSpiffeAuthority().x509Bundle()).toString("base64");
  const bundle = parse({ keys: [{ ...x509Key, x5c: [first, other, "rubbish", 1] }] });
  expect(bundle.x509Authorities.certificates).toEqual([root]);
});

test("X509-SVID 6.2: the authorities are a union", () => {
  const rolling = createSpiffeAuthority();
  rolling.prepare();
  const { keys } = JSON.parse(rolling.bundleDocument()) as typeof document;
  expect(counts(...keys, x509Key, x509Key)).toEqual([3, 2]);
});

test("JWT-SVID 6.2: without a key ID an entry is passed over", () => {
  for (const kid of [undefined, "", 1, null]) expect(counts({ ...jwtKey, kid }, x509Key)).toEqual([1, 0]);
});

test("a damaged authority refuses the document, so that none is lost silently", () => {
  const [first] = x509Key.x5c as string[];
  for (const x5c of [first, {}, [1], [""], ["%%%"], [first?.slice(4)], [`${first} `], [`${first}AAAA`]]) {
    expect(refusal({ keys: [{ ...x509Key, x5c }] })).toMatch(/x5c|certificate/);
  }
  for (const spoiled of [{ x: undefined }, { x: 1 }, { x: "AA" }, { crv: "P-999" }]) {
    expect(refusal({ keys: [{ ...jwtKey, ...spoiled }] })).toContain("cannot be read");
  }
});

test("two keys of one ID are refused, while one that is listed twice is one", () => {
  const [other] = (JSON.parse(createSpiffeAuthority().bundleDocument()) as typeof document).keys.slice(-1);
  expect(refusal({ keys: [jwtKey, { ...other, kid: jwtKey.kid }] })).toContain("two keys");
  expect(counts(jwtKey, jwtKey)).toEqual([0, 1]);
});

test("a private key in the document is taken for its public half", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...privateKey.export({ format: "jwk" }), kid: "k", use: "jwt-svid" };
  const bundle = parse({ keys: [jwk] });
  expect(bundle.jwtAuthorities.get("k")?.type).toBe("public");
  expect(formatSpiffeBundle(bundle)).not.toContain('"d"');
});

test("size and number of keys are limited", () => {
  expect(refusal({ keys: [], padding: "x".repeat(1024 * 1024) })).toContain("octets");
  expect(refusal({ keys: Array(1001).fill({}) })).toContain("more than 1000 keys");
  expect(() => parseSpiffeBundle("example.org", new Uint8Array([0x7b, 0xff, 0x7d]))).toThrow("UTF-8");
  expect(() => parseSpiffeBundle("Example.org", "{}")).toThrow(
    expect.objectContaining({ code: "ERR_SPIFFE_ID" }),
  );
});

describe("what is formatted is read back as it was", () => {
  const roots = (["ecdsa-p256", "rsa-2048", "ed25519"] satisfies KeyAlgorithm[]).map(
    (algorithm) =>
      createRoot({ subject: `CN=${algorithm}`, notAfter: new Date(2e12), algorithm }).certificate,
  );
  const keys: readonly KeyObject[] = [
    generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey,
    ...["P-256", "P-384", "P-521"].map((namedCurve) => generateKeyPairSync("ec", { namedCurve }).publicKey),
  ];
  const bundle = fc.record({
    trustDomain: fc.constant(parseTrustDomain("example.org")),
    x509Authorities: fc.subarray(roots).map(createTrustBundle),
    jwtAuthorities: fc
      .uniqueArray(fc.tuple(fc.string({ minLength: 1 }), fc.constantFrom(...keys)), {
        selector: ([kid]) => kid,
      })
      .map((entries) => new Map(entries)),
    sequence: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined }),
    refreshHintSeconds: fc.option(fc.nat(), { nil: undefined }),
  });

  test("whatever the bundle", () => {
    fc.assert(
      fc.property(bundle, (given) => {
        const read = parse(formatSpiffeBundle(given));
        expect(read.x509Authorities.sha256).toBe(given.x509Authorities.sha256);
        expect([...read.jwtAuthorities.keys()]).toEqual([...given.jwtAuthorities.keys()]);
        for (const [kid, key] of read.jwtAuthorities)
          expect(given.jwtAuthorities.get(kid)?.equals(key)).toBe(true);
        expect(read.sequence).toBe(given.sequence);
        expect(read.refreshHintSeconds).toBe(given.refreshHintSeconds);
        expect(formatSpiffeBundle(read)).toBe(formatSpiffeBundle(given));
      }),
      { numRuns: 50 },
    );
  });

  test("X509-SVID 6.1: X.509 entries have no key ID and one certificate", () => {
    const { keys: written } = JSON.parse(
      formatSpiffeBundle(parse(authority.bundleDocument())),
    ) as typeof document;
    expect(written).toEqual(document.keys.map((key) => expect.objectContaining(key)));
    expect(written[0]).not.toHaveProperty("kid");
    expect(written[0]?.x5c).toHaveLength(1);
  });
});

test("the parser throws nothing but this package's error", () => {
  const anything = fc.oneof(
    fc.json(),
    fc.string(),
    fc.jsonValue().map((keys) => JSON.stringify({ keys })),
  );
  const nearly = fc
    .tuple(
      fc.constantFrom(x509Key, jwtKey),
      fc.constantFrom("kty", "use", "kid", "x5c", "x", "crv"),
      fc.jsonValue(),
    )
    .map(([key, member, value]) => JSON.stringify({ keys: [{ ...key, [member]: value }] }));
  fc.assert(
    fc.property(fc.oneof(anything, nearly), (text) => {
      try {
        parse(text);
      } catch (error) {
        expect(error).toMatchObject({ name: "SpiffeError", code: "ERR_SPIFFE_BUNDLE" });
      }
    }),
  );
});
