import { Buffer } from "node:buffer";
import type { Secret } from "@newleaf/kube";
import type { KubernetesApi } from "@newleaf/testing";
import { annotationNames } from "../../src/annotations.ts";
import { readAuthorityState, trustOf } from "../../src/authority-state.ts";
import { encodeBundle } from "../../src/ca-bundle.ts";
import { sha256Hex } from "../../src/lease-announcement.ts";
import { bundleOf } from "./admission-callers.ts";
import { storageOf } from "./mischief.ts";
import { NAME, NAMESPACE, TARGETS } from "./plan.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";

const NAMES = annotationNames();

/** The trust that the CA Secret says, as a caBundle; "" where there is none. */
export function storedTrust(api: KubernetesApi): string {
  const secret = api.store.get("secrets", NAMESPACE, `${NAME}-ca`) as Secret | undefined;
  return secret ? encodeBundle(trustOf(readAuthorityState(secret, NAMES))) : "";
}

/** What keeps this from being a webhook at rest, in which everything is as it should be; undefined if it is one. */
export function unrest(api: KubernetesApi, cluster: SimulatedCluster): string | undefined {
  const { store } = api;
  const leaders = cluster.pods.filter(({ replica }) => replica?.leads).map(({ name }) => name);
  const election = store.get("leases.coordination.k8s.io", NAMESPACE, `${NAME}-leader`);
  if (leaders.length !== 1 || election?.spec?.holderIdentity !== leaders[0]) {
    return `${leaders.join(", ") || "nobody"} leads, and ${election?.spec?.holderIdentity} holds the Lease`;
  }
  const authority = store.get("secrets", NAMESPACE, `${NAME}-ca`) as Secret | undefined;
  if (!authority) return "there is no CA Secret";
  const { signer, next, previous, rollover, damage } = readAuthorityState(authority, NAMES);
  if (!signer || next || previous.length > 0 || rollover || damage.length > 0) {
    return `a rollover is under way: ${JSON.stringify({ next: !!next, previous: previous.length, rollover, damage })}`;
  }
  if (authority.metadata?.annotations?.[NAMES.rolloverRequested] !== undefined)
    return "a rollover was asked for";
  const serving = store.get("secrets", NAMESPACE, NAME) as Secret | undefined;
  const [certHash, caHash] = ["tls.crt", "ca.crt"].map((file) =>
    sha256Hex(Buffer.from(serving?.data?.[file] ?? "", "base64")),
  );
  const lease = store.get("leases.coordination.k8s.io", NAMESPACE, NAME);
  const said = lease?.metadata.annotations ?? {};
  if (said[NAMES.certHash] !== certHash || said[NAMES.caHash] !== caHash) {
    return "the Lease does not announce what is stored";
  }
  if (lease?.spec?.holderIdentity !== leaders[0])
    return `the serving Lease is ${lease?.spec?.holderIdentity}'s`;
  const trust = storedTrust(api);
  for (const { kind, name } of TARGETS) {
    const object = store.get(storageOf(kind), undefined, name);
    if (!object || bundleOf(object) !== trust) return `the caBundle of ${kind} is not the stored trust`;
  }
  if (Buffer.from(trust, "base64").toString().split("BEGIN CERTIFICATE").length !== 2)
    return "an old CA is trusted";
  for (const { name, replica, reported } of cluster.pods) {
    const { leaf, trust: trusted } = replica?.served ?? {};
    const stored = Buffer.from(serving?.data?.["tls.crt"] ?? "", "base64").toString("latin1");
    if (!leaf || !stored.includes(pemBody(leaf.der))) return `${name} does not serve what is stored`;
    if (trusted?.certificates.length !== 1)
      return `${name} trusts ${trusted?.certificates.length} authorities`;
    if (!reported) return `${name} is not reported to run`;
  }
  return undefined;
}

function pemBody(der: Uint8Array): string {
  return Buffer.from(der).toString("base64").slice(0, 64);
}
