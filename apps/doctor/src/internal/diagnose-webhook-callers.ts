import { createTrustBundle, validatePath } from "@newleaf/x509";
import type { Diagnosis } from "../diagnosis.ts";
import type { CallerFacts, WebhookFacts } from "../webhook-facts.ts";
import { leadershipOf } from "./webhook-leadership.ts";
import { describeWriters, listOf, podLogs, wrong } from "./webhook-words.ts";
import { nameOf, serial } from "./words.ts";

/** Whether API servers can verify what is served, by each entry that calls the webhook. */
export function diagnoseCallers(facts: WebhookFacts, now: Date): readonly Diagnosis[] {
  return facts.callers.flatMap((caller) => {
    const lacking = lacksTrust(caller, facts) && hasCertificate(facts);
    return [
      ...(lacking ? [lacks(caller, facts, now)] : contested(caller, facts)),
      ...uncovered(caller, facts),
    ];
  });
}

/** `kind/name`, and which webhook of it. */
export function nameOfCaller({ kind, object, entry }: CallerFacts): string {
  return entry === undefined ? `${kind}/${object}` : `${kind}/${object} (${entry})`;
}

/**
 * Whether an API server that calls by this entry would refuse the certificate that is stored: by a path to its
 * caBundle, or, where the Secret may not be read, by the hash of the trust in the Lease.
 */
export function lacksTrust({ bundle, bundleHash }: CallerFacts, { secret, lease }: WebhookFacts): boolean {
  if (bundle.length === 0) return true;
  if (typeof secret === "string" || !secret.leaf) {
    const caHash = typeof lease === "string" ? undefined : lease.caHash;
    return caHash !== undefined && caHash !== bundleHash;
  }
  const { leaf, chain } = secret;
  // Whether it has expired is another question.
  const path = validatePath(leaf, createTrustBundle(bundle), {
    now: leaf.notAfter,
    purpose: "any",
    intermediates: chain,
  });
  return !path.ok;
}

function hasCertificate({ secret, lease }: WebhookFacts): boolean {
  const stored = typeof secret !== "string" && secret.leaf !== undefined;
  return stored || (typeof lease !== "string" && lease.certHash !== undefined);
}

function lacks(caller: CallerFacts, facts: WebhookFacts, now: Date): Diagnosis {
  const { bundle, otherWriters, injector } = caller;
  const leaf = typeof facts.secret === "string" ? undefined : facts.secret.leaf;
  const holds =
    bundle.length === 0 ? "is empty" : `holds ${listOf(bundle.map((one) => nameOf(one)))} instead`;
  const signed = leaf ? `, whose CA has signed ${serial(leaf)}` : "";
  const name = nameOfCaller(caller);
  const rival = rivalOf(caller);
  if (rival !== undefined || otherWriters.length > 0) {
    const by = describeWriters(otherWriters, now);
    return wrong(facts, "ca_bundle_contested", {
      message: `the caBundle of ${name} ${holds}; it was last written by ${rival ?? by}, not by the leader${signed}. ${consequence(caller)}`,
      remedy:
        "The leader writes it again, more slowly each time that somebody answers. Take the caBundle out of the other's hands.",
      command:
        injector === undefined
          ? `kubectl get ${caller.kind} ${caller.object} -o yaml --show-managed-fields`
          : `kubectl annotate ${caller.kind} ${caller.object} ${injector}-`,
    });
  }
  const led = leadershipOf(facts, now).state === "led";
  return wrong(facts, "ca_bundle_lacks_authority", {
    message: `the caBundle of ${name} ${holds}${signed}. ${consequence(caller)}`,
    remedy: led
      ? "The leader keeps the caBundles of the objects that it is told of (--validating, --mutating, --crd, --api-service), and needs patch for each by name."
      : "The leader would put it back within seconds; there is none.",
    command: podLogs(facts, "caBundle"),
  });
}

/** The right bundle for now, and somebody else who will put another in its place. */
function contested(caller: CallerFacts, facts: WebhookFacts): readonly Diagnosis[] {
  const rival = rivalOf(caller);
  if (rival === undefined || !hasCertificate(facts)) return [];
  return [
    wrong(facts, "ca_bundle_contested", {
      message: `the caBundle of ${nameOfCaller(caller)} is right at the moment, and ${rival} keeps it too: whoever writes last wins`,
      remedy: "Remove the annotation: one keeper for each caBundle.",
      command: `kubectl annotate ${caller.kind} ${caller.object} ${caller.injector}-`,
    }),
  ];
}

function rivalOf({ injector }: CallerFacts): string | undefined {
  return injector === undefined ? undefined : `whoever obeys its annotation ${injector}`;
}

function consequence({ failurePolicy, kind }: CallerFacts): string {
  if (kind === "APIService") return "Requests to this API fail";
  if (kind === "CustomResourceDefinition") return "Objects of this kind cannot be converted";
  return failurePolicy === "Ignore"
    ? "API servers fail to call the webhook, and admit without it (failurePolicy Ignore)"
    : "API servers refuse what it would have to admit (failurePolicy Fail)";
}

function uncovered({ host, ...caller }: CallerFacts, facts: WebhookFacts): readonly Diagnosis[] {
  const leaf = typeof facts.secret === "string" ? undefined : facts.secret.leaf;
  if (!leaf || host === undefined) return [];
  const names = leaf.subjectAltNames.flatMap((name) => (name.type === "dns" ? [name.value] : []));
  if (names.some((name) => name.toLowerCase() === host.toLowerCase())) return [];
  return [
    wrong(facts, "name_not_covered", {
      message: `${nameOfCaller({ host, ...caller })} calls ${host}, and the certificate is for ${listOf(names)}. ${consequence({ host, ...caller })}`,
      remedy:
        "Tell the leader the Service with --service, or another name with --dns-name; it issues anew at once.",
      command: podLogs(facts, "serving certificate"),
    }),
  ];
}
