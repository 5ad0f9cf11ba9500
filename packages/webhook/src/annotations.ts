/** The annotations by which leader, followers and people talk to each other. */
export interface AnnotationNames {
  /** On the serving Lease: "true" once there is a certificate. */
  readonly certReady: string;
  /** On the serving Lease: SHA-256 of the octets of `tls.crt`, lower-case hex. */
  readonly certHash: string;
  /** On the serving Lease: RFC 3339. */
  readonly certValidUntil: string;
  /** On the serving Lease: SHA-256 of the octets of `ca.crt`, lower-case hex. */
  readonly caHash: string;
  /** On both Secrets and the serving Lease: whose turn it is to write, a token new with each term. */
  readonly leader: string;
  /** On the CA Secret: how far a rollover has come, as JSON. */
  readonly rollover: string;
  /** On the CA Secret, set by people: start a rollover now. Removed when it starts. */
  readonly rolloverRequested: string;
  /** On a replica's Pod, or its own Lease: what it serves with. */
  readonly acknowledgedCertHash: string;
  readonly acknowledgedCaHash: string;
  /** On a replica's Pod: what it waits for. A changed Pod makes the kubelet sync its volumes at once. */
  readonly expectedCertHash: string;
  /** On a replica's Pod: counts the times it has asked for a sync of the same hash. */
  readonly syncAttempt: string;
  /** A label of the replicas' own Leases; its value is the name of the serving Lease. */
  readonly replicaOf: string;
}

export const DEFAULT_ANNOTATION_PREFIX = "newleaf.dev";

/** The names under a prefix; that of KubeTemplater is `kubetemplater.io`. */
export function annotationNames(prefix: string = DEFAULT_ANNOTATION_PREFIX): AnnotationNames {
  return Object.freeze({
    certReady: `${prefix}/cert-ready`,
    certHash: `${prefix}/cert-hash`,
    certValidUntil: `${prefix}/cert-valid-until`,
    caHash: `${prefix}/ca-hash`,
    leader: `${prefix}/leader`,
    rollover: `${prefix}/rollover`,
    rolloverRequested: `${prefix}/rollover-requested`,
    acknowledgedCertHash: `${prefix}/acknowledged-cert-hash`,
    acknowledgedCaHash: `${prefix}/acknowledged-ca-hash`,
    expectedCertHash: `${prefix}/expected-cert-hash`,
    syncAttempt: `${prefix}/sync-attempt`,
    replicaOf: `${prefix}/replica-of`,
  });
}
