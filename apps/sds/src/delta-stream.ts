import { create } from "@bufbuild/protobuf";
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from "@newleaf/proto";
import { SECRET_TYPE } from "./encode-secret.ts";
import { type ProtocolStream, requestProblem, type StreamLimits } from "./protocol-stream.ts";
import { Subscriptions } from "./subscriptions.ts";

/**
 * DeltaSecrets: requests say what is wanted besides and what no longer, whatever their nonce, and secrets have versions
 * of their own. A name that is asked for again is answered again. Of one that there is nothing of, nothing is said: told
 * that it was removed, Envoy would open its listener without it, instead of waiting a while.
 */
export function createDeltaStream(
  limits: StreamLimits,
): ProtocolStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  const subscriptions = new Subscriptions();
  let first = true;
  return {
    subscriptions,
    receive(request) {
      const { resourceNamesSubscribe, resourceNamesUnsubscribe, responseNonce, errorDetail } = request;
      // The wildcard stands for all, which nobody has here: a secret is for whoever knows its name.
      const wanted = new Set(resourceNamesSubscribe.filter((name) => name !== "*"));
      const added = [...wanted].filter((name) => !subscriptions.has(name)).length;
      const problem = requestProblem(request.typeUrl, [...wanted], subscriptions.size + added, limits);
      if (problem) return problem;
      const verdicts = responseNonce === "" ? [] : subscriptions.answer(responseNonce, errorDetail?.message);
      const versions = first ? new Map(Object.entries(request.initialResourceVersions)) : undefined;
      first = false;
      for (const name of wanted) subscriptions.subscribe(name, versions?.get(name));
      for (const name of resourceNamesUnsubscribe) subscriptions.unsubscribe(name);
      return { ok: true, verdicts, held: [...wanted].filter((name) => versions?.has(name)) };
    },
    next(lookup) {
      const secrets = subscriptions.collect(lookup);
      if (secrets.length === 0) return undefined;
      return create(DeltaDiscoveryResponseSchema, {
        typeUrl: SECRET_TYPE,
        nonce: subscriptions.send(secrets),
        resources: secrets.map(({ name, version, resource }) => ({ name, version, resource })),
      });
    },
  };
}
