import { createTestAuthority, type TestIdentity, type TestIssueOptions } from "@newleaf/testing";
import { annotationNames } from "@newleaf/webhook";
import { expect, test } from "vitest";
import type { DiagnosisCode } from "../diagnosis.ts";
import type {
  AuthorityFacts,
  CallerFacts,
  ReplicaFacts,
  ServingSecretFacts,
  WebhookFacts,
} from "../webhook-facts.ts";
import { diagnoseWebhook, webhookRow } from "./diagnose-webhook.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const now = new Date("2026-06-01T12:00:00Z");
const ago = (ms: number): Date => new Date(now.getTime() - ms);
const authority = createTestAuthority({ now: () => now.getTime() - 24 * HOUR });
const other = createTestAuthority({ name: "other", now: () => now.getTime() - 24 * HOUR });
const issue = (options: TestIssueOptions = {}): TestIdentity =>
  authority.issue({ dnsNames: ["web.shop.svc"], notBefore: ago(HOUR), notAfter: ago(-HOUR), ...options });
const [CERT, CA, OLD] = ["c", "a", "0"].map((digit) => digit.repeat(64)) as [string, string, string];

function secret(identity = issue(), change: Partial<ServingSecretFacts> = {}): ServingSecretFacts {
  return {
    certHash: CERT,
    caHash: CA,
    leaf: identity.certificate,
    chain: identity.intermediates,
    trust: authority.certificates,
    problem: undefined,
    immutable: false,
    writtenFor: "web-0",
    otherWriters: [],
    ...change,
  };
}

const caller: CallerFacts = {
  kind: "ValidatingWebhookConfiguration",
  object: "web",
  entry: "web.example.com",
  host: "web.shop.svc",
  failurePolicy: "Fail",
  bundleHash: CA,
  bundle: authority.certificates,
  otherWriters: [],
  injector: undefined,
};

const replica: ReplicaFacts = {
  name: "web-0",
  node: "node-1",
  nodeReady: undefined,
  phase: "Running",
  ready: true,
  leaving: false,
  startedAt: ago(HOUR),
  address: "10.0.0.1",
  account: "web",
  waiting: undefined,
  lastExit: undefined,
  restarts: 0,
  mount: "whole",
  leads: true,
  follows: true,
  fromSecret: false,
  acknowledge: "pod",
  certTimeoutMs: 3 * MINUTE,
  certHash: CERT,
  caHash: CA,
  expectedHash: undefined,
  syncAttempts: 0,
};

const election = {
  holder: "web-0",
  durationMs: 15_000,
  renewedAt: ago(2_000),
  acquiredAt: ago(HOUR),
  renewedMeanwhile: false,
};
const lease = {
  certHash: CERT,
  caHash: CA,
  writtenFor: "web-0",
  changedAt: ago(HOUR),
  otherWriters: [],
} as const;
const signer: AuthorityFacts = {
  signer: authority.certificates[0],
  next: undefined,
  previous: [],
  rollover: undefined,
  writtenFor: "web-0",
};

const well: WebhookFacts = {
  name: "web",
  namespace: "shop",
  service: "web",
  selector: "app.kubernetes.io/name=web",
  names: annotationNames(),
  election,
  lease,
  secret: secret(),
  authority: signer,
  callers: [caller],
  replicas: [replica],
  accounts: [],
  egressPolicies: [],
  unasked: [],
};

/** Each with its severity, as `code` or `code (note)`. */
function found(change: Partial<WebhookFacts>): string[] {
  return diagnoseWebhook({ ...well, ...change }, now).map(({ code, severity }) =>
    severity === "note" ? `${code} (note)` : code,
  );
}

function message(code: DiagnosisCode, change: Partial<WebhookFacts>): string {
  const diagnosis = diagnoseWebhook({ ...well, ...change }, now).find((it) => it.code === code);
  return diagnosis ? `${diagnosis.message} ${diagnosis.remedy} ${diagnosis.command}` : "";
}

test("all is as it should be: nothing to say, and served is what all replicas say that they have", () => {
  expect(found({})).toEqual([]);
  const leaf = (well.secret as ServingSecretFacts).leaf;
  expect(webhookRow(well, [])).toMatchObject({ verdict: "well", stored: leaf, served: leaf });
  const one = { ...well, replicas: [replica, { ...replica, name: "web-1", certHash: OLD }] };
  expect(webhookRow(one, []).served).toBeUndefined();
});

const nothing = { lease: "missing", secret: "missing", callers: [] } as const;

test.each<[string, Partial<WebhookFacts>, RegExp]>([
  [
    "nobody runs",
    { ...nothing, replicas: [], election: "missing" },
    /no Pod matches app\.kubernetes\.io\/name=web/,
  ],
  [
    "Pods that do not start",
    {
      ...nothing,
      election: "missing",
      replicas: [{ ...replica, phase: "Pending", waiting: "ImagePullBackOff" }],
    },
    /none of its Pods runs: web-0 \(ImagePullBackOff\)/,
  ],
  [
    "a leader that has gone",
    { ...nothing, election: { ...election, renewedAt: ago(5 * MINUTE) } },
    /replica web-0 was elected and has not renewed its Lease for 5m, of 15s/,
  ],
  [
    "a leader that may not write",
    {
      ...nothing,
      accounts: [
        {
          user: "system:serviceaccount:shop:web",
          missing: [
            { verbs: ["create"], group: "", resource: "secrets", namespace: "shop", name: undefined },
          ],
        },
      ],
    },
    /the leader \(web-0\) cannot write: .* may not create secrets in shop.*can-i create secrets --as=system/,
  ],
  [
    "a caBundle that cannot be written",
    { ...nothing, callers: [{ ...caller, bundle: [], bundleHash: undefined }] },
    /every caBundle that it keeps, and it is not in ValidatingWebhookConfiguration\/web \(web\.example\.com\)/,
  ],
  [
    "a Secret that cannot be changed",
    { ...nothing, secret: secret(issue(), { leaf: undefined, problem: "empty", immutable: true }) },
    /Secret web is immutable.*kubectl delete secret web -n shop/,
  ],
  ["a leader that has just begun", nothing, /holds its Lease and has not written yet/],
])("never issued: %s", (_, change, said) => {
  expect(message("certificates_never_issued", change)).toMatch(said);
});

test("a Lease that looks over, of a clock that is behind, is held if it was renewed while it was looked at", () => {
  const renewedAt = ago(5 * MINUTE);
  expect(found({ election: { ...election, renewedAt } })).toEqual(["no_leader"]);
  expect(found({ election: { ...election, renewedAt, renewedMeanwhile: true } })).toEqual([]);
  expect(message("no_leader", { election: { ...election, holder: "" } })).toMatch(
    /stored is good until 2026-06-01T13:00:00\.000Z \(in 1h\); until somebody is elected/,
  );
});

test("behind: since how long, and what keeps the file away", () => {
  const waiting = { ...replica, certHash: OLD, expectedHash: CERT, syncAttempts: 2 };
  const young = { lease: { ...lease, changedAt: ago(30_000) } };
  expect(found({ ...young, replicas: [waiting] })).toEqual(["hash_mismatch_persists (note)"]);
  expect(found({ ...young, replicas: [{ ...waiting, mount: "subPath" }] })).toEqual([
    "hash_mismatch_persists",
  ]);
  expect(found({ replicas: [waiting] })).toEqual(["hash_mismatch_persists"]);
  expect(message("hash_mismatch_persists", { replicas: [waiting] })).toMatch(
    /Pod web-0 on node-1 waits for certificate cccccccccccc since 1h, and has asked the kubelet 2 more times/,
  );
  // Issued an hour ago for two hours: the one before ends a third of that later.
  expect(message("hash_mismatch_persists", { replicas: [waiting] })).toMatch(
    /serves an older one, which ends about 2026-06-01T11:40/,
  );
  expect(message("hash_mismatch_persists", { replicas: [{ ...waiting, nodeReady: false }] })).toMatch(
    /kubelet of node-1 does not report/,
  );
  expect(message("hash_mismatch_persists", { replicas: [{ ...waiting, acknowledge: "lease" }] })).toMatch(
    /in its own time, up to about 80 s/,
  );
});

test("only the trust is behind: that is a mismatch too", () => {
  expect(found({ replicas: [{ ...replica, caHash: OLD, expectedHash: CERT }] })).toEqual([
    "hash_mismatch_persists",
  ]);
});

test("a mount that is never updated is worth a note while nothing is behind", () => {
  expect(found({ replicas: [{ ...replica, mount: "subPath" }] })).toEqual(["hash_mismatch_persists (note)"]);
  expect(found({ replicas: [{ ...replica, mount: "subPath", fromSecret: true }] })).toEqual([]);
});

test("who may not write to its Pod is not taken for one that does not watch", () => {
  const user = "system:serviceaccount:shop:web";
  const rule = { verbs: ["patch"], group: "", resource: "pods", namespace: "shop", name: undefined };
  const silent = { ...replica, certHash: undefined, caHash: undefined };
  expect(found({ replicas: [silent], accounts: [{ user, missing: [rule] }] })).toEqual([
    "rbac_missing",
    "hash_mismatch_persists (note)",
  ]);
  expect(found({ replicas: [silent] })).toEqual(["lease_watch_failing"]);
  expect(found({ replicas: [{ ...silent, startedAt: ago(2_000) }] })).toEqual([]);
  expect(found({ replicas: [{ ...silent, follows: false }] })).toEqual([]);
});

test("a Secret that is not what the Lease announces is the fault, not the kubelet", () => {
  const byHand = secret(issue(), {
    certHash: OLD,
    otherWriters: [{ manager: "kubectl-edit", at: ago(MINUTE) }],
  });
  const waiting = { ...replica, certHash: undefined, expectedHash: CERT };
  expect(found({ secret: byHand, replicas: [waiting] })).toEqual([
    "announced_not_stored",
    "hash_mismatch_persists",
  ]);
  expect(message("announced_not_stored", { secret: byHand })).toMatch(/written by kubectl-edit \(1m ago\)/);
  expect(message("hash_mismatch_persists", { secret: byHand, replicas: [waiting] })).toMatch(
    /not in the Secret either/,
  );
  const young = { ...lease, changedAt: ago(1_000) };
  expect(found({ secret: byHand, lease: young, replicas: [] })[0]).toBe("announced_not_stored (note)");
});

test("expired, overdue, gone, unusable", () => {
  expect(found({ secret: secret(issue({ notBefore: ago(2 * HOUR), notAfter: ago(HOUR) })) })).toEqual([
    "stored_expired",
  ]);
  expect(found({ secret: secret(issue({ notBefore: ago(4 * HOUR) })) })).toEqual(["renewal_overdue (note)"]);
  expect(found({ secret: "missing" })).toEqual(["serving_secret_missing"]);
  const torn = secret(issue(), { problem: "tls.key does not belong to tls.crt" });
  expect(message("stored_unusable", { secret: torn })).toMatch(/tls\.key does not belong to tls\.crt/);
});

test("a caBundle: empty, of somebody else, contested, and for whom the certificate is not", () => {
  const empty = { ...caller, bundle: [], bundleHash: undefined };
  expect(message("ca_bundle_lacks_authority", { callers: [empty] })).toMatch(
    /is empty, whose CA has signed serial/,
  );
  const foreign = {
    ...caller,
    bundle: other.certificates,
    bundleHash: OLD,
    failurePolicy: "Ignore",
  } as const;
  expect(message("ca_bundle_lacks_authority", { callers: [foreign] })).toMatch(
    /holds .* instead.*admit without it \(failurePolicy Ignore\)/,
  );
  const rival = { ...foreign, otherWriters: [{ manager: "cainjector", at: ago(MINUTE) }] };
  expect(message("ca_bundle_contested", { callers: [rival] })).toMatch(/last written by cainjector/);
  const kept = { ...caller, injector: "cert-manager.io/inject-ca-from" };
  expect(found({ callers: [kept] })).toEqual(["ca_bundle_contested"]);
  const both = { ...caller, bundle: [...other.certificates, ...authority.certificates], bundleHash: OLD };
  expect(found({ callers: [both] })).toEqual([]);
  expect(found({ callers: [{ ...caller, host: "api.shop.svc" }] })).toEqual(["name_not_covered"]);
  expect(found({ callers: [foreign], secret: "unknown" })).toEqual(["ca_bundle_lacks_authority"]);
});

test("a rollover: whom each step waits for, and from when on that is wrong", () => {
  const at = (ms: number): string => ago(ms).toISOString();
  const handing = { ...signer, next: other.certificates[0] };
  const lagging = { ...replica, name: "web-1", caHash: OLD, acknowledge: "none" } as const;
  const young = { authority: { ...handing, rollover: { reason: "due", startedAt: at(MINUTE) } } } as const;
  expect(found({ ...young, replicas: [replica, lagging] })).toEqual(["rollover_waiting (note)"]);
  const stuck = { authority: { ...handing, rollover: { reason: "due", startedAt: at(HOUR) } } } as const;
  expect(found({ ...stuck, replicas: [replica, lagging] })).toEqual(["rollover_waiting"]);
  expect(message("rollover_waiting", { ...stuck, replicas: [replica, lagging] })).toMatch(
    /\(due\).*next CA is being handed out since .*waits for web-1\. The CA that signs is good until/,
  );
  const rollover = {
    reason: "due",
    startedAt: at(2 * HOUR),
    switchedAt: at(HOUR),
    oldLeafUntil: at(-24 * HOUR),
  } as const;
  const switched = { authority: { ...signer, previous: other.certificates, rollover } };
  expect(message("rollover_waiting", switched)).toMatch(
    /waits for the leader's next step\. The old CA goes by itself .*2026-06-02T12:00.*by a handshake \(--prove-port\)/,
  );
});

test("two leaders: objects that another than the elected one has written, once it had the time to begin", () => {
  expect(found({ lease: { ...lease, writtenFor: "web-1" } })).toEqual(["two_leaders"]);
  const justElected = { ...election, acquiredAt: ago(2_000) };
  expect(found({ lease: { ...lease, writtenFor: "web-1" }, election: justElected })).toEqual([]);
  const stranger = { ...lease, otherWriters: [{ manager: "kubetemplater", at: undefined }] };
  expect(message("two_leaders", { lease: stranger })).toMatch(
    /kubetemplater, which is no leader of this webhook/,
  );
});

test("exit code 1 about --cert-timeout after the start, and other ends", () => {
  const crash = (code: number, ranMs: number): Partial<WebhookFacts> => ({
    replicas: [
      replica,
      {
        ...{ ...replica, name: "web-1", ready: false, waiting: "CrashLoopBackOff" },
        lastExit: { code, ranMs, at: ago(MINUTE) },
      },
    ],
  });
  expect(found(crash(1, 181_000))).toEqual(["cert_timeout"]);
  expect(found(crash(1, 2_000))).toEqual(["replica_crashes"]);
  expect(found(crash(137, 181_000))).toEqual(["replica_crashes"]);
});

test("nobody ready: what that refuses, or admits unchecked", () => {
  const replicas = [{ ...replica, ready: false }];
  expect(message("no_replica_ready", { replicas })).toMatch(
    /is refused \(failurePolicy Fail\).*namespaceSelector/,
  );
  const callers = [{ ...caller, failurePolicy: "Ignore" }] as const;
  expect(message("no_replica_ready", { replicas, callers })).toMatch(/admitted unchecked/);
});

test("without an API server there is nothing else to say", () => {
  expect(found({ failure: "connect ECONNREFUSED", secret: "unknown", replicas: "unknown" })).toEqual([
    "api_server_unreachable",
  ]);
});
