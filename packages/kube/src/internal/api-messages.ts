import type { ResourceType } from "../kube-object.ts";
import { explicit, list, type Message, map, message, one, partOfMessage } from "./proto-message.ts";

/** The message of a kind, as far as it is known here. Numbers are those of the API's generated.proto, and never change. */
export function messageOf({ group, version, kind }: ResourceType<object>): Message | undefined {
  return MESSAGES[`${group}/${version} ${kind}`];
}

// meta/v1. Without managedFields and selfLink, which nobody reads.
const ownerReference = message({
  apiVersion: explicit(5, "string"),
  kind: explicit(1, "string"),
  name: explicit(3, "string"),
  uid: explicit(4, "string"),
  controller: explicit(6, "bool"),
  blockOwnerDeletion: explicit(7, "bool"),
});

const objectMeta = partOfMessage({
  name: one(1, "string"),
  generateName: one(2, "string"),
  namespace: one(3, "string"),
  uid: one(5, "string"),
  resourceVersion: one(6, "string"),
  generation: one(7, "int"),
  creationTimestamp: one(8, "time"),
  deletionTimestamp: one(9, "time"),
  deletionGracePeriodSeconds: explicit(10, "int"),
  labels: map(11, "string"),
  annotations: map(12, "string"),
  ownerReferences: list(13, ownerReference),
  finalizers: list(14, "string"),
});

export const listMeta: Message = partOfMessage({
  resourceVersion: one(2, "string"),
  continue: one(3, "string"),
  remainingItemCount: explicit(4, "int"),
});

const labelSelector = message({
  matchLabels: map(1, "string"),
  matchExpressions: list(
    2,
    message({
      key: explicit(1, "string"),
      operator: explicit(2, "string"),
      values: list(3, "string"),
    }),
  ),
});

const statusCause = message({
  reason: one(1, "string"),
  message: one(2, "string"),
  field: one(3, "string"),
});

export const status: Message = partOfMessage({
  message: one(3, "string"),
  reason: one(4, "string"),
  details: explicit(
    5,
    message({
      name: one(1, "string"),
      group: one(2, "string"),
      kind: one(3, "string"),
      uid: one(6, "string"),
      causes: list(4, statusCause),
      retryAfterSeconds: one(5, "int"),
    }),
  ),
  code: one(6, "int"),
});

/** What a bookmark has of any kind. */
export const anyObject: Message = partOfMessage({ metadata: explicit(1, objectMeta) });

// core/v1
const resourceRequirements = partOfMessage({ limits: map(1, "quantity"), requests: map(2, "quantity") });

const container = partOfMessage({
  name: explicit(1, "string"),
  image: one(2, "string"),
  command: list(3, "string"),
  args: list(4, "string"),
  resources: explicit(8, resourceRequirements),
  imagePullPolicy: one(14, "string"),
});

const podTemplate = message({
  metadata: explicit(1, objectMeta),
  spec: explicit(
    2,
    partOfMessage({
      containers: list(2, container),
      initContainers: list(20, container),
      serviceAccountName: one(8, "string"),
    }),
  ),
});

const secret = message({
  metadata: explicit(1, objectMeta),
  data: map(2, "bytes"),
  type: one(3, "string"),
  immutable: explicit(5, "bool"),
});

const configMap = message({
  metadata: explicit(1, objectMeta),
  data: map(2, "string"),
  binaryData: map(3, "bytes"),
  immutable: explicit(4, "bool"),
});

// apps/v1
const deploymentStrategy = message({
  type: one(1, "string"),
  rollingUpdate: explicit(
    2,
    message({ maxUnavailable: explicit(1, "intOrString"), maxSurge: explicit(2, "intOrString") }),
  ),
});

const deploymentCondition = message({
  type: explicit(1, "string"),
  status: explicit(2, "string"),
  lastUpdateTime: one(6, "time"),
  lastTransitionTime: one(7, "time"),
  reason: one(4, "string"),
  message: one(5, "string"),
});

const deployment = message({
  metadata: explicit(1, objectMeta),
  spec: explicit(
    2,
    message({
      replicas: explicit(1, "int"),
      selector: explicit(2, labelSelector),
      template: explicit(3, podTemplate),
      strategy: explicit(4, deploymentStrategy),
      minReadySeconds: one(5, "int"),
      revisionHistoryLimit: explicit(6, "int"),
      paused: one(7, "bool"),
      progressDeadlineSeconds: explicit(9, "int"),
    }),
  ),
  status: explicit(
    3,
    message({
      observedGeneration: one(1, "int"),
      replicas: one(2, "int"),
      updatedReplicas: one(3, "int"),
      readyReplicas: one(7, "int"),
      availableReplicas: one(4, "int"),
      unavailableReplicas: one(5, "int"),
      terminatingReplicas: explicit(9, "int"),
      conditions: list(6, deploymentCondition),
      collisionCount: explicit(8, "int"),
    }),
  ),
});

// coordination.k8s.io/v1
const lease = message({
  metadata: explicit(1, objectMeta),
  spec: explicit(
    2,
    message({
      holderIdentity: explicit(1, "string"),
      leaseDurationSeconds: explicit(2, "int"),
      acquireTime: one(3, "microTime"),
      renewTime: one(4, "microTime"),
      leaseTransitions: explicit(5, "int"),
      strategy: explicit(6, "string"),
      preferredHolder: explicit(7, "string"),
    }),
  ),
});

const MESSAGES: Readonly<Record<string, Message>> = {
  "/v1 ConfigMap": configMap,
  "/v1 Secret": secret,
  "apps/v1 Deployment": deployment,
  "coordination.k8s.io/v1 Lease": lease,
};
