import { create, fromBinary } from "@bufbuild/protobuf";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  SecretSchema,
} from "@newleaf/proto";

/** What an Envoy does on one stream, message by message: it says what it wants, and answers every response. */
export interface SimulatedEnvoy<Q, R> {
  readonly wanted: ReadonlySet<string>;
  /** Secrets taken over, by name: the octets. */
  readonly has: ReadonlyMap<string, Uint8Array>;
  readonly refused: ReadonlyMap<string, Uint8Array>;
  want(names: readonly string[]): Q;
  answer(response: R, accept: boolean): Q;
  /** Names and octets of a response. */
  read(response: R): readonly (readonly [string, Uint8Array])[];
}

const node = { id: "simulated" };

export function simulateSotw(): SimulatedEnvoy<DiscoveryRequest, DiscoveryResponse> {
  const [has, refused] = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()];
  let wanted = new Set<string>();
  let [nonce, version, first] = ["", "", true];
  const request = (fields: object = {}): DiscoveryRequest => {
    const message = create(DiscoveryRequestSchema, {
      resourceNames: [...wanted],
      versionInfo: version,
      responseNonce: nonce,
      ...(first && { node }),
      ...fields,
    });
    first = false;
    return message;
  };
  const read = ({ resources }: DiscoveryResponse) =>
    resources.map(({ value }) => [fromBinary(SecretSchema, value).name, value] as const);
  return {
    has,
    refused,
    read,
    get wanted() {
      return wanted;
    },
    want(names) {
      wanted = new Set(names);
      for (const name of has.keys()) if (!wanted.has(name)) has.delete(name);
      for (const name of refused.keys()) if (!wanted.has(name)) refused.delete(name);
      return request();
    },
    answer(response, accept) {
      nonce = response.nonce;
      if (!accept) {
        for (const [name, octets] of read(response)) if (wanted.has(name)) refused.set(name, octets);
        return request({ errorDetail: { code: 13, message: "will not have it" } });
      }
      version = response.versionInfo;
      for (const [name, octets] of read(response)) {
        if (wanted.has(name)) has.set(name, octets);
        refused.delete(name);
      }
      return request();
    },
  };
}

export function simulateDelta(): SimulatedEnvoy<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  const [has, refused] = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()];
  let wanted = new Set<string>();
  let first = true;
  const request = (fields: object): DeltaDiscoveryRequest => {
    const message = create(DeltaDiscoveryRequestSchema, { ...(first && { node }), ...fields });
    first = false;
    return message;
  };
  const read = ({ resources }: DeltaDiscoveryResponse) =>
    resources.map(({ name, resource }) => [name, resource!.value] as const);
  return {
    has,
    refused,
    read,
    get wanted() {
      return wanted;
    },
    want(names) {
      const before = wanted;
      wanted = new Set(names);
      for (const name of has.keys()) if (!wanted.has(name)) has.delete(name);
      for (const name of refused.keys()) if (!wanted.has(name)) refused.delete(name);
      return request({
        resourceNamesSubscribe: [...wanted].filter((name) => !before.has(name)),
        resourceNamesUnsubscribe: [...before].filter((name) => !wanted.has(name)),
      });
    },
    answer(response, accept) {
      for (const [name, octets] of read(response)) {
        if (!wanted.has(name)) continue;
        if (accept) {
          has.set(name, octets);
          refused.delete(name);
        } else refused.set(name, octets);
      }
      const errorDetail = accept ? {} : { errorDetail: { code: 13, message: "will not have it" } };
      return request({ responseNonce: response.nonce, ...errorDetail });
    },
  };
}
