/**
 * Real protocols for tests and the demo: an authority that issues good and bad certificates, directories written as
 * the kubelet and the cert-manager CSI driver write them, a SPIFFE trust domain with its Workload API, and a Kubernetes
 * API with webhooks, kubelets and faults.
 *
 * ```ts
 * const authority = createTestAuthority();
 * await using volume = await createAtomicVolume(directory);
 * await volume.write(authority.issue({ dnsNames: ["backend"] }).files());
 * ```
 */
export {
  type AtomicVolume,
  createAtomicVolume,
  type VolumeFiles,
  type WriteOptions,
  type WriteResult,
} from "./atomic-volume.ts";
export {
  type CsiVolume,
  type CsiVolumeOptions,
  type CsiVolumeWrite,
  startCsiVolume,
} from "./csi-volume.ts";
export {
  copyLikeSubPath,
  deleteFiles,
  type PlainWriteOptions,
  replaceDirectory,
  withoutDataLink,
  writeEmpty,
  writeHalf,
  writePlainFiles,
  writeTornPair,
  writeUnreadable,
} from "./hostile-writers.ts";
export type { WorkloadApiMethod } from "./internal/workload-api-calls.ts";
export type { CallWebhook, WebhookCall } from "./kubernetes/admission.ts";
export type { ApiListener, ListenOptions } from "./kubernetes/api-listener.ts";
export type { AuditEntry, AuditLog } from "./kubernetes/audit.ts";
export type { ResolveService } from "./kubernetes/call-webhook.ts";
export type { ActiveFault, Fault, FaultAction, FaultFilter, Faults } from "./kubernetes/faults.ts";
export type { KubeStore, StoreClock } from "./kubernetes/kube-store.ts";
export type { WatchItem } from "./kubernetes/kube-watch.ts";
export type { KubeconfigOptions } from "./kubernetes/kubeconfig.ts";
export {
  createKubelet,
  type Kubelet,
  type KubeletOptions,
  type KubeletVolume,
} from "./kubernetes/kubelet.ts";
export { kubeletVolumePath, writeKubeletVolumes } from "./kubernetes/kubelet-volumes.ts";
export {
  createKubernetesApi,
  type KubernetesApi,
  type KubernetesApiOptions,
  startKubernetesApi,
} from "./kubernetes/kubernetes-api.ts";
export type { ApiRequest, ApiResponse } from "./kubernetes/request-handler.ts";
export { StatusError } from "./kubernetes/status-error.ts";
export { createManualClock, type ManualClock } from "./manual-clock.ts";
export {
  createSpiffeAuthority,
  type IssuedX509Svid,
  type JwtSvidOptions,
  type SpiffeAuthority,
  type SpiffeAuthorityOptions,
  type X509SvidOptions,
} from "./spiffe-authority.ts";
export {
  type CrlOptions,
  createTestAuthority,
  type IssueDefect,
  type TestAuthority,
  type TestAuthorityOptions,
  type TestIssueOptions,
  type TestRollover,
} from "./test-authority.ts";
export { createTestIdentity, type KeyFormat, type TestIdentity } from "./test-identity.ts";
export {
  startWorkloadApi,
  type WorkloadApiCounters,
  type WorkloadApiOptions,
  type WorkloadApiServer,
} from "./workload-api.ts";
