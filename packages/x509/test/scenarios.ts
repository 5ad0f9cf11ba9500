import type { Certificate } from "../src/certificate.ts";
import type { CertificateRevocationList } from "../src/crl.ts";
import { sequence } from "../src/der-writer.ts";
import { EXTENSION, type Extension } from "../src/extension.ts";
import { EKU } from "../src/key-usage.ts";
import type { PathFailureCode } from "../src/path-failure.ts";
import {
  type CertificateSpec,
  crl,
  damaged,
  days,
  dns,
  intermediate,
  issue,
  leaf,
  NOW,
  type Party,
  root,
  unknownExtension,
} from "./certificate-factory.ts";
import { type Chain, chain } from "./chain.ts";
import { NAME_CONSTRAINT_ROWS } from "./name-constraint-rows.ts";

/** What a verifier is given. */
interface Given {
  readonly leaf: Certificate;
  readonly trust: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly crls?: readonly CertificateRevocationList[];
  readonly now?: Date;
}

/** One rule, kept or broken, named after its section of RFC 5280. */
export interface Scenario {
  readonly name: string;
  readonly expect: PathFailureCode | "ok";
  /** Default: both. */
  readonly purpose?: "clientAuth" | "serverAuth";
  /** Nothing on the path deviates from RFC 5280, so -x509_strict changes nothing. */
  readonly strict?: boolean;
  readonly given: () => Given;
}

type Specs = NonNullable<Parameters<typeof chain>[0]>;

const SECOND = 1000;

/** A straight chain. */
function straight(
  name: string,
  expect: Scenario["expect"],
  specs: Specs,
  more: Partial<Scenario> = {},
): Scenario {
  return { name, expect, given: () => chain(specs), ...more };
}

/** A straight chain with something else changed. */
function changed(
  name: string,
  expect: Scenario["expect"],
  specs: Specs,
  change: (made: Chain) => Partial<Given>,
  more: Partial<Scenario> = {},
): Scenario {
  return {
    name,
    expect,
    given: () => {
      const made = chain(specs);
      return { ...made, ...change(made) };
    },
    ...more,
  };
}

const many = (count: number, spec: Partial<CertificateSpec> = {}): readonly Partial<CertificateSpec>[] =>
  Array.from({ length: count }, () => spec);

const certificates = (...parties: readonly Party[]) => parties.map(({ certificate }) => certificate);

const LENGTHS: readonly Scenario[] = [
  ...[0, 1, 2, 3, 5, 8].map((count) =>
    straight(`6.1 ${count} intermediates`, "ok", { cas: many(count) }, { strict: true }),
  ),
  straight("6.1 nine intermediates", "limit", { cas: many(9) }),
  changed("6.1 intermediates in reverse order", "ok", { cas: many(4) }, ({ intermediates }) => ({
    intermediates: intermediates.toReversed(),
  })),
  changed(
    "6.1 root and leaf sent along, twice",
    "ok",
    { cas: many(2) },
    ({ intermediates, trust, leaf: own }) => ({
      intermediates: [...trust, own, ...intermediates, ...trust, own, ...intermediates],
    }),
  ),
  changed("6.1 unrelated certificates sent along", "ok", { cas: many(2) }, ({ intermediates }) => {
    const other = chain({ root: { subject: "other root" }, cas: [{ subject: "other ca" }] });
    return { intermediates: [...other.intermediates, ...other.trust, ...intermediates] };
  }),
  changed("6.1 intermediate as trust anchor", "ok", { cas: many(2) }, ({ cas, intermediates }) => ({
    trust: intermediates.slice(1),
    intermediates: certificates(...cas.slice(0, 1)),
  })),
  changed(
    "6.1 intermediate and root as trust anchors",
    "ok",
    { cas: many(2) },
    ({ intermediates, trust }) => ({
      trust: [...trust, ...intermediates.slice(0, 1)],
    }),
  ),
];

const UNTRUSTED: readonly Scenario[] = [
  changed("6.1 nearest intermediate missing", "unknown_authority", { cas: many(2) }, ({ intermediates }) => ({
    intermediates: intermediates.slice(0, 1),
  })),
  changed("6.1 farther intermediate missing", "unknown_authority", { cas: many(2) }, ({ intermediates }) => ({
    intermediates: intermediates.slice(1),
  })),
  changed("6.1 no intermediate sent", "unknown_authority", { cas: many(3) }, () => ({ intermediates: [] })),
  changed("6.1 root not trusted", "unknown_authority", {}, ({ trust }) => ({
    trust: certificates(root({ subject: "other root" })),
    intermediates: trust,
  })),
  changed("6.1 nothing trusted", "unknown_authority", { cas: many(1) }, () => ({ trust: [] })),
  changed("6.1 root of the same name with another key", "unknown_authority", {}, () => ({
    trust: certificates(root({ subject: "root", keyName: "impostor" })),
  })),
  changed(
    "6.1 root of the same name with another key, no identifiers",
    "bad_signature",
    {
      root: { subjectKeyIdentifier: null },
    },
    () => ({
      trust: certificates(root({ subject: "root", keyName: "impostor", subjectKeyIdentifier: null })),
    }),
  ),
  {
    name: "6.1 self-signed leaf that nobody trusts",
    expect: "unknown_authority",
    given: () => ({
      ...chain(),
      leaf: issue(undefined, {
        subject: "leaf",
        ca: false,
        usages: ["digitalSignature"],
        names: [dns("a.example")],
      }).certificate,
    }),
  },
  {
    name: "6.1 self-signed leaf in the bundle",
    expect: "ok",
    given: () => {
      const own = issue(undefined, { subject: "leaf", ca: false, usages: ["digitalSignature"] }).certificate;
      return { leaf: own, trust: [own], intermediates: [] };
    },
  },
  changed(
    "6.1 leaf in the bundle without its CA",
    "unknown_authority",
    { cas: many(1) },
    ({ leaf: own }) => ({
      trust: [own],
    }),
  ),
  changed("6.1 leaf and CA in the bundle", "ok", { cas: many(1) }, ({ leaf: own, trust }) => ({
    trust: [own, ...trust],
  })),
];

const ALTERNATIVES: readonly Scenario[] = [
  changed(
    "6.1 old and new root of one name, leaf of the new",
    "ok",
    { root: { keyName: "new" } },
    ({ trust }) => ({
      trust: [...certificates(root({ subject: "root", keyName: "old" })), ...trust],
    }),
  ),
  changed(
    "6.1 old and new root of one name, leaf of the old",
    "ok",
    { root: { keyName: "old" } },
    ({ trust }) => ({
      trust: [...trust, ...certificates(root({ subject: "root", keyName: "new" }))],
    }),
  ),
  changed("6.1 two roots of one key, both trusted", "ok", { root: { keyName: "shared" } }, ({ trust }) => ({
    trust: [...certificates(root({ subject: "second", keyName: "shared" })), ...trust],
  })),
  changed(
    "6.1 two roots of one key, the other name trusted",
    "unknown_authority",
    { root: { keyName: "shared" } },
    () => ({ trust: certificates(root({ subject: "second", keyName: "shared" })) }),
  ),
  changed("6.1 renewed root, same name and key, old one expired", "ok", {}, ({ trust }) => ({
    trust: [...certificates(root({ subject: "root", to: days(-1) })), ...trust],
  })),
  changed("6.1 only the expired one of two roots trusted", "expired", {}, ({ trust }) => ({
    trust: certificates(root({ subject: "root", to: days(-1) })),
    intermediates: trust,
  })),
  ...[0, 1].map((side) => crossSigned(side)),
  {
    name: "6.1 new root cross-signed by the trusted old one",
    expect: "ok",
    given: () => {
      const [old, fresh] = [root({ subject: "old" }), root({ subject: "new" })];
      const cross = intermediate(old, { subject: "new" });
      const own = leaf(fresh);
      return { leaf: own.certificate, trust: [old.certificate], intermediates: [cross.certificate] };
    },
  },
  {
    name: "6.1 cross-signed intermediate expired, direct one valid",
    expect: "ok",
    given: () => {
      const [a, b] = [root({ subject: "a" }), root({ subject: "b" })];
      const viaA = intermediate(a, { subject: "sub", to: days(-1) });
      const viaB = intermediate(b, { subject: "sub" });
      return {
        leaf: leaf(viaB).certificate,
        trust: certificates(a, b),
        intermediates: certificates(viaA, viaB),
      };
    },
  },
  straight("6.1 two authorities with one key on one path", "ok", {
    root: { keyName: "shared" },
    cas: [{ keyName: "shared" }],
  }),
  {
    name: "6.1 key rollover, old with new",
    expect: "ok",
    given: () => {
      const fresh = root({ subject: "root", keyName: "fresh" });
      const old = intermediate(fresh, { subject: "root", keyName: "stale" });
      return { leaf: leaf(old).certificate, trust: [fresh.certificate], intermediates: [old.certificate] };
    },
  },
];

/** One intermediate key certified by two roots, of which one is trusted. */
function crossSigned(side: number): Scenario {
  return {
    name: `6.1 intermediate of two roots, root ${side} trusted`,
    expect: "ok",
    given: () => {
      const roots = [root({ subject: "root a" }), root({ subject: "root b" })];
      const subs = roots.map((party) => intermediate(party, { subject: "sub" }));
      const [first] = subs;
      if (first === undefined) throw new Error("no intermediate");
      return {
        leaf: leaf(first).certificate,
        trust: certificates(...roots.slice(side, side + 1)),
        intermediates: certificates(...subs),
      };
    },
  };
}

const past = { from: days(-20), to: days(-1) };
const future = { from: days(1), to: days(20) };

const VALIDITY: readonly Scenario[] = [
  straight("4.1.2.5 leaf expired", "expired", { cas: many(1), leaf: past }),
  straight("4.1.2.5 intermediate expired", "expired", { cas: [{}, past] }),
  straight("4.1.2.5 anchor expired", "expired", { root: past, cas: many(1) }),
  straight("4.1.2.5 leaf not yet valid", "not_yet_valid", { cas: many(1), leaf: future }),
  straight("4.1.2.5 intermediate not yet valid", "not_yet_valid", { cas: [future] }),
  straight("4.1.2.5 anchor not yet valid", "not_yet_valid", { root: future }),
  straight("4.1.2.5 first second", "ok", { leaf: { from: NOW } }),
  straight("4.1.2.5 second before the first", "not_yet_valid", {
    leaf: { from: new Date(NOW.getTime() + SECOND) },
  }),
  straight("4.1.2.5 second before the last", "ok", { leaf: { to: new Date(NOW.getTime() + SECOND) } }),
  straight("4.1.2.5 last second", "ok", { leaf: { to: NOW } }),
  straight("4.1.2.5 second after the last", "expired", { leaf: { to: new Date(NOW.getTime() - SECOND) } }),
  straight("4.1.2.5 beyond 2050", "ok", { root: { to: new Date("2061-01-01T00:00:00Z") } }),
  straight("4.1.2.5 no well-defined end", "ok", { leaf: { to: new Date("9999-12-31T23:59:59Z") } }),
];

const SIGNATURES: readonly Scenario[] = [
  changed("6.1.3 a.1 signature of the leaf damaged", "bad_signature", { cas: many(1) }, ({ leafParty }) => ({
    leaf: damaged(leafParty).certificate,
  })),
  changed("6.1.3 a.1 signature of an intermediate damaged", "bad_signature", { cas: many(2) }, ({ cas }) => ({
    intermediates: cas.map((party, index) => (index === 0 ? damaged(party) : party).certificate),
  })),
  changed("6.1.3 a.1 signature of the anchor damaged", "ok", { cas: many(1) }, ({ root: anchor }) => ({
    trust: certificates(damaged(anchor)),
  })),
  straight("4.1.1.2 signature algorithm written in two ways", "bad_signature", {
    root: { kind: "rsa2048", keyName: "rsa2048" },
    leaf: { mismatch: true },
  }),
  straight("6.1.3 a.4 issuer name is another", "unknown_authority", {
    cas: many(1),
    leaf: { issuer: "ca 7" },
  }),
  straight("7.1 issuer name in other case and spacing", "ok", {
    cas: [{ subject: "CN=The  Sub,O=Shop" }],
    leaf: { issuer: "CN=the sub,O=SHOP" },
  }),
  straight("4.2.1.1 authority key identifier of another key", "ok", {
    cas: many(1),
    leaf: { authorityKeyIdentifier: "00112233" },
  }),
  straight("4.2.1.1 no key identifiers at all", "ok", {
    root: { subjectKeyIdentifier: null },
    cas: [{ subjectKeyIdentifier: null, authorityKeyIdentifier: null }],
    leaf: { subjectKeyIdentifier: null, authorityKeyIdentifier: null },
  }),
];

const AUTHORITIES: readonly Scenario[] = [
  straight("4.2.1.9 intermediate without basicConstraints", "not_a_ca", { cas: [{ ca: undefined }] }),
  straight("4.2.1.9 intermediate with cA FALSE", "not_a_ca", { cas: [{ ca: false }] }),
  straight("4.2.1.9 leaf as issuer", "not_a_ca", { cas: [{ ca: false, usages: ["digitalSignature"] }] }),
  straight("4.2.1.9 intermediate of version 1", "not_a_ca", { cas: [{ version: 1 }] }),
  straight("4.2.1.9 self-issued intermediate of version 1", "not_a_ca", {
    root: { subject: "ca" },
    cas: [{ subject: "ca", keyName: "ca rolled", version: 1 }],
  }),
  straight("4.2.1.9 anchor of version 1", "ok", { root: { version: 1 }, cas: many(1) }),
  straight("4.2.1.9 anchor of version 3 without extensions", "not_a_ca", {
    root: { ca: undefined, usages: null, subjectKeyIdentifier: null },
  }),
  straight("4.2.1.9 anchor with key usage but without basicConstraints", "not_a_ca", {
    root: { ca: undefined },
  }),
  straight("4.2.1.9 anchor with cA FALSE", "not_a_ca", { root: { ca: false, usages: null } }),
  changed("4.2.1.9 intermediate anchor with cA FALSE", "not_a_ca", { cas: [{}, { ca: false }] }, (made) => ({
    trust: made.intermediates.slice(1),
    intermediates: [],
  })),
  straight("4.2.1.9 CA certificate as leaf", "ca_as_leaf", {
    leaf: { ca: true, usages: ["digitalSignature", "keyCertSign"] },
  }),
  straight("4.2.1.9 leaf without basicConstraints", "ok", { leaf: { ca: undefined } }),
  straight("4.1.2.1 leaf of version 1", "ok", { leaf: { version: 1 } }),
  changed("4.2.1.9 root itself as leaf", "ca_as_leaf", { root: { usages: null } }, ({ root: anchor }) => ({
    leaf: anchor.certificate,
  })),
  straight("4.2.1.3 intermediate without keyCertSign", "key_usage", {
    cas: [{ usages: ["digitalSignature"] }],
  }),
  straight("4.2.1.3 anchor without keyCertSign", "key_usage", { root: { usages: ["cRLSign"] } }),
  straight("4.2.1.3 no key usage anywhere", "ok", {
    root: { usages: null },
    cas: [{ usages: null }],
    leaf: { usages: null },
  }),
  straight("4.2.1.3 leaf with keyEncipherment only", "key_usage", { leaf: { usages: ["keyEncipherment"] } }),
  straight("4.2.1.3 leaf with keyAgreement only", "key_usage", { leaf: { usages: ["keyAgreement"] } }),
  straight("4.2.1.3 leaf with nonRepudiation only", "key_usage", { leaf: { usages: ["nonRepudiation"] } }),
  straight("4.2.1.3 leaf with both", "ok", { leaf: { usages: ["digitalSignature", "keyEncipherment"] } }),
];

const PATH_LENGTHS: readonly Scenario[] = [
  straight("6.1.4 l pathLen 0 above the leaf", "ok", { root: { pathLength: 0 } }, { strict: true }),
  straight("6.1.4 l pathLen 0 above one intermediate", "path_length", {
    root: { pathLength: 0 },
    cas: many(1),
  }),
  straight("6.1.4 l pathLen 1 above one intermediate", "ok", { root: { pathLength: 1 }, cas: many(1) }),
  straight("6.1.4 l pathLen 1 above two", "path_length", { root: { pathLength: 1 }, cas: many(2) }),
  straight("6.1.4 l pathLen 0 on an intermediate above another", "path_length", {
    cas: [{ pathLength: 0 }, {}],
  }),
  straight("6.1.4 l pathLen 0 on the last intermediate", "ok", { cas: [{}, { pathLength: 0 }] }),
  straight("6.1.4 l pathLen of the upper one wins", "path_length", {
    cas: [{ pathLength: 1 }, { pathLength: 5 }, {}],
  }),
  straight("6.1.4 l self-issued intermediate is not counted", "ok", {
    cas: [
      { subject: "ca", pathLength: 0 },
      { subject: "ca", keyName: "ca rolled" },
    ],
  }),
  straight("6.1.4 l self-issued in other case is not counted either", "ok", {
    cas: [
      { subject: "ca", pathLength: 0 },
      { subject: "CA", keyName: "ca rolled" },
    ],
  }),
  straight("6.1.4 l self-issued, then another", "path_length", {
    cas: [{ subject: "ca", pathLength: 0 }, { subject: "ca", keyName: "ca rolled" }, {}],
  }),
  changed(
    "6.1.4 l pathLen on an intermediate anchor",
    "path_length",
    { cas: [{ pathLength: 0 }, {}] },
    (made) => ({
      trust: made.intermediates.slice(0, 1),
    }),
  ),
];

const { clientAuth, serverAuth, any, codeSigning } = EKU;

const PURPOSES: readonly Scenario[] = [
  ...(["clientAuth", "serverAuth"] as const).flatMap((purpose) => [
    straight(
      `4.2.1.12 ${purpose}: leaf for clients`,
      purpose === "clientAuth" ? "ok" : "wrong_usage",
      {
        leaf: { purposes: [clientAuth] },
      },
      { purpose },
    ),
    straight(
      `4.2.1.12 ${purpose}: leaf for servers`,
      purpose === "serverAuth" ? "ok" : "wrong_usage",
      {
        leaf: { purposes: [serverAuth] },
      },
      { purpose },
    ),
    straight(
      `4.2.1.12 ${purpose}: CA for clients`,
      purpose === "clientAuth" ? "ok" : "wrong_usage",
      {
        cas: [{ purposes: [clientAuth] }],
      },
      { purpose },
    ),
    straight(
      `4.2.1.12 ${purpose}: upper CA for servers`,
      purpose === "serverAuth" ? "ok" : "wrong_usage",
      {
        cas: [{ purposes: [serverAuth, codeSigning] }, {}],
      },
      { purpose },
    ),
    straight(
      `4.2.1.12 ${purpose}: anchor for clients`,
      purpose === "clientAuth" ? "ok" : "wrong_usage",
      {
        root: { purposes: [clientAuth] },
      },
      { purpose },
    ),
  ]),
  straight("4.2.1.12 leaf for both", "ok", { leaf: { purposes: [serverAuth, clientAuth] } }),
  straight("4.2.1.12 leaf for code signing", "wrong_usage", { leaf: { purposes: [codeSigning] } }),
  straight("4.2.1.12 leaf for any purpose", "ok", { leaf: { purposes: [any] } }),
  straight("4.2.1.12 CA for any purpose", "ok", { cas: [{ purposes: [any] }] }),
  straight(
    "4.2.1.12 leaf for server gated crypto",
    "wrong_usage",
    {
      leaf: { purposes: ["2.16.840.1.113730.4.1"] },
    },
    { purpose: "serverAuth" },
  ),
];

const empty = sequence();
const critical = (oid: string, value: Uint8Array): readonly Extension[] => [{ oid, critical: true, value }];

const EXTENSIONS: readonly Scenario[] = [
  straight("4.2 unknown critical extension in the leaf", "unknown_critical_extension", {
    leaf: { extra: [unknownExtension(true)] },
  }),
  straight("4.2 unknown critical extension in a CA", "unknown_critical_extension", {
    cas: [{ extra: [unknownExtension(true)] }],
  }),
  straight("4.2 unknown critical extension in the anchor", "unknown_critical_extension", {
    root: { extra: [unknownExtension(true)] },
  }),
  straight("4.2 unknown extension everywhere", "ok", {
    root: { extra: [unknownExtension(false)] },
    cas: [{ extra: [unknownExtension(false)] }],
    leaf: { extra: [unknownExtension(false)] },
  }),
  straight("4.2.1.7 critical issuer alternative name", "unknown_critical_extension", {
    leaf: { extra: critical("2.5.29.18", sequence(Uint8Array.of(0x82, 1, 0x61))) },
  }),
  straight("4.2.2.1 critical authority information access", "unknown_critical_extension", {
    leaf: { extra: critical("1.3.6.1.5.5.7.1.1", empty) },
  }),
  straight("4.2.1.13 critical CRL distribution points", "ok", {
    leaf: {
      extra: critical(
        EXTENSION.crlDistributionPoints,
        sequence(sequence(Uint8Array.of(0xa0, 5, 0xa0, 3, 0x86, 1, 0x61))),
      ),
    },
  }),
  straight("4.2.1.12 critical extended key usage", "ok", {
    leaf: {
      extra: critical(
        EXTENSION.extendedKeyUsage,
        sequence(Uint8Array.of(6, 8, 43, 6, 1, 5, 5, 7, 3, 2), Uint8Array.of(6, 8, 43, 6, 1, 5, 5, 7, 3, 1)),
      ),
    },
  }),
  straight("4.2.1.4 critical certificate policies", "ok", {
    leaf: { extra: critical("2.5.29.32", sequence(sequence(Uint8Array.of(6, 3, 42, 3, 4)))) },
  }),
  straight("4.2.1.11 explicit policy demanded, none there", "ok", {
    cas: [{ extra: critical("2.5.29.36", sequence(Uint8Array.of(0x80, 1, 0))) }],
  }),
  straight("4.2.1.14 any policy inhibited", "ok", {
    cas: [{ extra: critical("2.5.29.54", Uint8Array.of(2, 1, 0)) }],
  }),
];

const NAMES: readonly Scenario[] = [
  ...Object.entries(NAME_CONSTRAINT_ROWS).map(
    ([name, { permitted = [], excluded = [], names, subject = "", ok }]) =>
      straight(`4.2.1.10 ${name}`, ok ? "ok" : "name_constraints", {
        cas: [{ permitted, excluded }],
        leaf: { names, subject, keyName: "leaf" },
      }),
  ),
  straight("4.2.1.10 constraint of the anchor", "name_constraints", {
    root: { permitted: [dns("example.org")] },
  }),
  straight("4.2.1.10 constraints of two CAs intersect", "name_constraints", {
    cas: [{ permitted: [dns("example.org")] }, { permitted: [dns("example.com")] }],
  }),
  straight("4.2.1.10 constraints narrow downwards", "ok", {
    cas: [{ permitted: [dns("com")] }, { permitted: [dns("example.com")] }],
  }),
  straight("4.2.1.10 exclusion above, permission below", "name_constraints", {
    cas: [{ excluded: [dns("example.com")] }, { permitted: [dns("example.com")] }],
  }),
  straight("4.2.1.10 names of an intermediate are constrained", "name_constraints", {
    cas: [{ permitted: [dns("example.com")] }, { names: [dns("ca.example.org")] }],
  }),
  straight("6.1.4 b names of a self-issued intermediate are not", "ok", {
    cas: [
      { subject: "ca", permitted: [dns("example.com")] },
      { subject: "ca", keyName: "ca rolled", names: [dns("ca.example.org")] },
    ],
  }),
  straight("6.1.4 b names of a self-issued leaf are", "name_constraints", {
    cas: [{ subject: "ca", permitted: [dns("example.org")] }],
    leaf: { subject: "ca", keyName: "leaf" },
  }),
  straight("4.2.1.10 constraint in a leaf binds nobody", "ok", { leaf: { permitted: [dns("example.org")] } }),
];

const STRENGTH: readonly Scenario[] = [
  ...(["rsa2048", "rsa-pss", "p384", "p521", "ed25519", "ed448", "brainpool256"] as const).flatMap((kind) => [
    straight(`4.1.2.7 ${kind} key of the leaf`, "ok", { cas: many(1), leaf: { kind, keyName: kind } }),
    straight(`4.1.2.7 ${kind} keys of the CAs`, "ok", {
      root: { kind, keyName: `${kind} root` },
      cas: [{ kind, keyName: kind }],
    }),
  ]),
  ...(["rsa1024", "p224", "secp256k1", "p256-explicit", "dsa"] as const).flatMap((kind) => [
    straight(`4.1.2.7 ${kind} key of the leaf`, "weak_key", { leaf: { kind, keyName: kind } }),
    ...(kind === "dsa"
      ? []
      : [
          straight(`4.1.2.7 ${kind} key of a CA`, "weak_key", { cas: [{ kind, keyName: kind }] }),
          straight(`4.1.2.7 ${kind} key of the anchor`, "weak_key", { root: { kind, keyName: kind } }),
        ]),
  ]),
  ...(["md5", "sha1"] as const).flatMap((hash) => [
    straight(`4.1.1.2 RSA with ${hash} under the leaf`, "weak_key", {
      root: { kind: "rsa2048", keyName: "rsa2048" },
      leaf: { hash },
    }),
    straight(`4.1.1.2 RSA with ${hash} under a CA`, "weak_key", {
      root: { kind: "rsa2048", keyName: "rsa2048" },
      cas: [{ hash }],
    }),
    straight(`4.1.1.2 RSA with ${hash} under the anchor`, "ok", {
      root: { kind: "rsa2048", keyName: "rsa2048", hash },
      leaf: {},
    }),
  ]),
  straight("4.1.1.2 ECDSA with sha1 under the leaf", "weak_key", { leaf: { hash: "sha1" } }),
  ...(["sha224", "sha384", "sha512"] as const).flatMap((hash) => [
    straight(`4.1.1.2 ECDSA with ${hash}`, "ok", { cas: [{ hash }], leaf: { hash } }),
    straight(`4.1.1.2 RSA with ${hash}`, "ok", {
      root: { kind: "rsa2048", keyName: "rsa2048" },
      leaf: { hash },
    }),
  ]),
];

const DELTA: Extension = { oid: EXTENSION.deltaCrlIndicator, critical: true, value: Uint8Array.of(2, 1, 1) };
const ONLY_USERS: Extension = {
  oid: EXTENSION.issuingDistributionPoint,
  critical: true,
  value: sequence(Uint8Array.of(0x81, 1, 0xff)),
};
const INDIRECT: Extension = { ...ONLY_USERS, value: sequence(Uint8Array.of(0x84, 1, 0xff)) };

/** Lists of root and the CAs of a chain with two of them; `change` replaces some. */
function revocation(
  name: string,
  expect: Scenario["expect"],
  lists: (made: Chain & { ca1: Party; ca2: Party }) => readonly CertificateRevocationList[],
  specs: Specs = {},
): Scenario {
  return changed(`6.3 ${name}`, expect, { cas: [{}, {}], ...specs }, (made) => {
    const [ca1, ca2] = made.cas;
    if (ca1 === undefined || ca2 === undefined) throw new Error("two CAs are needed");
    return { crls: lists({ ...made, ca1, ca2 }) };
  });
}

const REVOCATION: readonly Scenario[] = [
  revocation("nobody revoked", "ok", ({ root: r, ca1, ca2 }) => [crl(r), crl(ca1), crl(ca2)]),
  revocation("others revoked", "ok", ({ root: r, ca1, ca2 }) => {
    const other = leaf(ca2, { subject: "other" }).certificate;
    return [
      crl(r, { revoked: [{ certificate: other }] }),
      crl(ca1),
      crl(ca2, { revoked: [{ certificate: other }] }),
    ];
  }),
  revocation("leaf revoked", "revoked", ({ root: r, ca1, ca2, leaf: own }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { revoked: [{ certificate: own, reason: 1 }] }),
  ]),
  revocation("leaf revoked without a reason", "revoked", ({ root: r, ca1, ca2, leaf: own }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { revoked: [{ certificate: own }] }),
  ]),
  revocation("leaf on hold", "revoked", ({ root: r, ca1, ca2, leaf: own }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { revoked: [{ certificate: own, reason: 6 }] }),
  ]),
  revocation("lower intermediate revoked", "revoked", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1, { revoked: [{ certificate: ca2.certificate, reason: 2 }] }),
    crl(ca2),
  ]),
  revocation("upper intermediate revoked", "revoked", ({ root: r, ca1, ca2 }) => [
    crl(r, { revoked: [{ certificate: ca1.certificate, reason: 4 }] }),
    crl(ca1),
    crl(ca2),
  ]),
  revocation("list of the leaf's issuer missing", "crl_missing", ({ root: r, ca1 }) => [crl(r), crl(ca1)]),
  revocation("list of an intermediate missing", "crl_missing", ({ root: r, ca2 }) => [crl(r), crl(ca2)]),
  revocation("list of the root missing", "crl_missing", ({ ca1, ca2 }) => [crl(ca1), crl(ca2)]),
  revocation("list of the leaf's issuer run out", "crl_expired", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { thisUpdate: days(-9), nextUpdate: days(-1) }),
  ]),
  revocation("list of the root run out", "crl_expired", ({ root: r, ca1, ca2 }) => [
    crl(r, { thisUpdate: days(-9), nextUpdate: days(-1) }),
    crl(ca1),
    crl(ca2),
  ]),
  revocation("leaf on a list that has run out", "revoked", ({ root: r, ca1, ca2, leaf: own }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { thisUpdate: days(-9), nextUpdate: days(-1), revoked: [{ certificate: own }] }),
  ]),
  revocation("list of the future", "crl_missing", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { thisUpdate: days(1) }),
  ]),
  revocation("old list and current list", "ok", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { thisUpdate: days(-9), nextUpdate: days(-1) }),
    crl(ca2, { number: 2 }),
  ]),
  revocation("revoked on the newer of two", "revoked", ({ root: r, ca1, ca2, leaf: own }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { thisUpdate: days(-1), number: 2, revoked: [{ certificate: own }] }),
    crl(ca2, { thisUpdate: days(-3) }),
  ]),
  revocation("no longer on hold on the newer of two", "ok", ({ root: r, ca1, ca2, leaf: own }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { thisUpdate: days(-3), revoked: [{ certificate: own, reason: 6 }] }),
    crl(ca2, { thisUpdate: days(-1), number: 2 }),
  ]),
  revocation("list without nextUpdate", "crl_expired", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { nextUpdate: null }),
  ]),
  revocation("list signed by another key", "crl_missing", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl({ ...ca2, key: r.key }),
  ]),
  revocation(
    "CA may not sign lists",
    "crl_missing",
    ({ root: r, ca1, ca2 }) => [crl(r), crl(ca1), crl(ca2)],
    {
      cas: [{}, { usages: ["keyCertSign"] }],
    },
  ),
  revocation("delta list only", "crl_missing", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { extra: [DELTA] }),
  ]),
  revocation("delta list newer than the complete one", "crl_missing", ({ root: r, ca1, ca2, leaf: own }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { thisUpdate: days(-3) }),
    crl(ca2, { thisUpdate: days(-1), number: 2, extra: [DELTA], revoked: [{ certificate: own }] }),
  ]),
  revocation("list of the same CA with another key besides", "ok", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(intermediate(ca1, { subject: "ca 2", keyName: "ca 2 rolled" }), { thisUpdate: days(-1) }),
    crl(ca2),
  ]),
  revocation("list for users only", "crl_missing", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { extra: [ONLY_USERS] }),
  ]),
  revocation("indirect list", "crl_missing", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { extra: [INDIRECT] }),
  ]),
  revocation("unknown critical extension in a list", "crl_missing", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { extra: [unknownExtension(true)] }),
  ]),
  revocation("unknown extension in a list", "ok", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { extra: [unknownExtension(false)] }),
  ]),
  revocation("list signed with sha1", "crl_missing", ({ root: r, ca1, ca2 }) => [
    crl(r),
    crl(ca1),
    crl(ca2, { hash: "sha1" }),
  ]),
  changed("6.3 intermediate anchor needs no list of its issuer", "ok", { cas: many(2) }, ({ cas }) => ({
    trust: certificates(...cas.slice(1)),
    intermediates: [],
    crls: cas.slice(1).map((party) => crl(party)),
  })),
];

/** Every rule of path validation, kept and broken; names are unique. */
export const SCENARIOS: readonly Scenario[] = [
  ...LENGTHS,
  ...UNTRUSTED,
  ...ALTERNATIVES,
  ...VALIDITY,
  ...SIGNATURES,
  ...AUTHORITIES,
  ...PATH_LENGTHS,
  ...PURPOSES,
  ...EXTENSIONS,
  ...NAMES,
  ...STRENGTH,
  ...REVOCATION,
];
