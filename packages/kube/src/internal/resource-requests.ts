import type { KubeList, KubeObject, ResourceType } from "../kube-object.ts";
import type {
  DeleteOptions,
  Patch,
  RequestOptions,
  ResourceClient,
  WriteOptions,
} from "../resource-client.ts";
import type { Answer } from "../status.ts";
import type { KubeRequest } from "../transport.ts";
import type { Exchange } from "./exchange.ts";
import { jsonFormat } from "./object-format.ts";
import { readAnswer } from "./read-answer.ts";
import { readList } from "./read-list.ts";
import { createResourceReader, listQuery, noNamespace } from "./read-requests.ts";
import { apiVersionOf, type ResourcePlace, resourcePath } from "./resource-path.ts";
import type { WholeAnswer } from "./whole-answer.ts";

/** A `ResourceClient` whose requests go through the exchange. */
export function createResourceClient<T extends KubeObject>(
  exchange: Exchange,
  type: ResourceType<T>,
  namespace: string | undefined,
): ResourceClient<T> {
  const apiVersion = apiVersionOf(type);
  // Those of a subresource are of another kind: a Scale, an Eviction.
  const withKind = (object: T, { subresource = "status" }: WriteOptions): T =>
    subresource === "status" ? { apiVersion, kind: type.kind, ...object } : object;

  const reader = createResourceReader<T>(
    exchange,
    type,
    namespace,
    jsonFormat({ apiVersion, kind: type.kind }),
  );

  return {
    type,
    namespace: reader.namespace,
    get: async (name, options = {}) => {
      const { resourceVersion, subresource } = options;
      const path = objectPath(name, { subresource, query: { resourceVersion } });
      return fetch<T>("GET", path, options, readObject);
    },
    list: async (options = {}) => fetch("GET", collectionPath(listQuery(options)), options, list),
    listStream: reader.listStream,
    create: async (object, options = {}) => {
      const { subresource } = options;
      const query = writeQuery(options);
      const of = object.metadata?.namespace;
      const path =
        subresource === undefined
          ? resourcePath(type, { namespace: needNamespace(of), query })
          : objectPath(nameOf(object), { namespace: of, subresource, query });
      return write("POST", path, withKind(object, options), options);
    },
    update: async (object, options = {}) =>
      write("PUT", writePath(object, writeQuery(options), options), withKind(object, options), options),
    patch: async (name, patch, options = {}) => {
      const path = objectPath(name, { subresource: options.subresource, query: writeQuery(options) });
      return write("PATCH", path, patch.body, options, PATCH_TYPES[patch.type]);
    },
    apply: async (object, options) => {
      const path = writePath(object, { ...writeQuery(options), force: options.force }, options);
      return write("PATCH", path, withKind(object, options), options, "application/apply-patch+yaml");
    },
    delete: async (name, options = {}) => {
      const object = deleteBody(options);
      const body = object && { object, contentType: "application/json" };
      return fetch("DELETE", objectPath(name, {}), options, readDeleted<T>, body);
    },
    watch: reader.watch,
  };

  function list(answer: WholeAnswer): KubeList<T> {
    return readList<T>(answer, { apiVersion, kind: type.kind });
  }

  async function fetch<R>(
    method: KubeRequest["method"],
    path: string,
    options: RequestOptions,
    read: (answer: WholeAnswer) => R,
    body?: { readonly object: object; readonly contentType: string },
  ): Promise<Answer<R>> {
    const { signal, timeoutMs, priority } = options;
    const sent = body && { body: JSON.stringify(body.object), contentType: body.contentType };
    const answer = await exchange.fetch({ method, path, signal, timeoutMs, priority, ...sent });
    return readAnswer(answer, exchange.clock, read);
  }

  function write(
    method: KubeRequest["method"],
    path: string,
    object: object,
    options: RequestOptions,
    contentType = "application/json",
  ): Promise<Answer<T>> {
    return fetch<T>(method, path, options, readObject, { object, contentType });
  }

  function collectionPath(query: NonNullable<ResourcePlace["query"]>): string {
    return resourcePath(type, { namespace, query });
  }

  function objectPath(name: string, place: ResourcePlace): string {
    return resourcePath(type, { ...place, namespace: needNamespace(place.namespace), name });
  }

  function writePath(
    object: T,
    query: ResourcePlace["query"] & object,
    { subresource }: WriteOptions,
  ): string {
    return objectPath(nameOf(object), { namespace: object.metadata?.namespace, subresource, query });
  }

  function needNamespace(ofObject: string | undefined): string | undefined {
    const wanted = namespace ?? ofObject;
    if (!type.namespaced || wanted !== undefined) return wanted;
    throw noNamespace(type);
  }
}

const PATCH_TYPES: Readonly<Record<Patch["type"], string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
};

function nameOf(object: KubeObject): string {
  return object.metadata?.name ?? "";
}

function readObject<T>(answer: WholeAnswer): T {
  return answer.json() as T;
}

// What is gone at once is answered with a Status for most kinds, and with the object for some.
function readDeleted<T extends KubeObject>(answer: WholeAnswer): T | undefined {
  const value = answer.json() as T;
  return value.kind === "Status" ? undefined : value;
}

function writeQuery({ dryRun, fieldManager }: WriteOptions): NonNullable<ResourcePlace["query"]> {
  return { dryRun: dryRun ? "All" : undefined, fieldManager };
}

function deleteBody(options: DeleteOptions): object | undefined {
  const { dryRun, preconditions, gracePeriodSeconds, propagationPolicy } = options;
  const body = {
    ...(dryRun && { dryRun: ["All"] }),
    ...(preconditions && { preconditions }),
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(propagationPolicy && { propagationPolicy }),
  };
  return Object.keys(body).length === 0 ? undefined : { apiVersion: "v1", kind: "DeleteOptions", ...body };
}
