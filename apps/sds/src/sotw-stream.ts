import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type DiscoveryRequest, type DiscoveryResponse, DiscoveryResponseSchema } from "@newleaf/proto";
import { SECRET_TYPE } from "./encode-secret.ts";
import { type ProtocolStream, requestProblem, type StreamLimits } from "./protocol-stream.ts";
import type { PublishedSecret } from "./secret-store.ts";
import { Subscriptions } from "./subscriptions.ts";

/**
 * StreamSecrets: the state of the world. Every request says all names that are wanted. A request with an old nonce
 * crossed a response: what it says of that response counts, its names do not, for a newer one follows. Responses hold
 * what has changed, which secrets allow.
 */
export function createSotwStream(limits: StreamLimits): ProtocolStream<DiscoveryRequest, DiscoveryResponse> {
  const subscriptions = new Subscriptions();
  let first = true;
  return {
    subscriptions,
    receive({ typeUrl, resourceNames, responseNonce, errorDetail, versionInfo }) {
      const isCurrent = responseNonce === subscriptions.newest || first;
      const names = new Set(resourceNames);
      const problem = requestProblem(typeUrl, resourceNames, names.size, limits);
      if (problem) return problem;
      const verdicts = subscriptions.answer(responseNonce, errorDetail?.message);
      if (!isCurrent) return { ok: true, verdicts, held: [] };
      subscriptions.retain(names);
      for (const name of names) if (!subscriptions.has(name)) subscriptions.subscribe(name);
      // Of a stream before this one, if there was one.
      const held = first && versionInfo !== "" ? [...names] : [];
      first = false;
      return { ok: true, verdicts, held };
    },
    next(lookup) {
      const secrets = subscriptions.collect(lookup);
      return secrets.length === 0 ? undefined : discoveryResponse(secrets, subscriptions.send(secrets));
    },
  };
}

/** Of one stream, or with "" for a nonce of a single fetch. */
export function discoveryResponse(secrets: readonly PublishedSecret[], nonce: string): DiscoveryResponse {
  return create(DiscoveryResponseSchema, {
    versionInfo: versionOf(secrets),
    resources: secrets.map(({ resource }) => resource),
    typeUrl: SECRET_TYPE,
    nonce,
  });
}

function versionOf(secrets: readonly PublishedSecret[]): string {
  const [only] = secrets;
  if (only && secrets.length === 1) return only.version;
  const lines = secrets.map(({ name, version }) => `${name} ${version}\n`).sort();
  return createHash("sha256").update(lines.join("")).digest("hex").slice(0, 32);
}
