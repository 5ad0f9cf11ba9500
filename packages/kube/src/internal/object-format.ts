import type { KubeObject } from "../kube-object.ts";
import { readMessage } from "./decode-message.ts";
import type { EventReader, EventReaderOptions } from "./event-reader.ts";
import { JsonEvents } from "./json-events.ts";
import { JsonList } from "./json-list.ts";
import type { ListReader, ListReaderOptions } from "./list-reader.ts";
import type { Shape } from "./object-shape.ts";
import type { OpenAnswer } from "./open-answer.ts";
import { unwrap } from "./proto-envelope.ts";
import { ProtoEvents } from "./proto-events.ts";
import { ProtoList } from "./proto-list.ts";
import { ProtoReader } from "./proto-reader.ts";
import { reduceObject } from "./reduce-object.ts";
import { isProtobuf, type WholeAnswer } from "./whole-answer.ts";

/** How objects come over the wire, and what is made of them. */
export interface ObjectFormat<T extends KubeObject> {
  readonly accept: string;
  object(answer: WholeAnswer): T;
  list(answer: OpenAnswer, maxObjectBytes: number): ListReader<T>;
  events(answer: OpenAnswer, maxEventBytes: number): EventReader<T>;
}

interface Named {
  readonly apiVersion: string;
  readonly kind: string;
}

/** JSON, all of it. */
export function jsonFormat<T extends KubeObject>(named: Named): ObjectFormat<T> {
  const whole = (object: object): T => object as T;
  return {
    accept: "application/json",
    object: (answer) => answer.json() as T,
    list: (answer, maxObjectBytes) => new JsonList(answer, { ...named, maxObjectBytes }, whole),
    events: ({ what }, maxEventBytes) => new JsonEvents({ what, maxEventBytes }, whole),
  };
}

/** The fields of a shape: from protobuf where they are all known, and the server has it; from JSON otherwise. */
export function selectedFormat<T extends KubeObject>(named: Named, shape: Shape): ObjectFormat<T> {
  const fromJson = (object: object): T => {
    const { apiVersion = named.apiVersion, kind = named.kind } = object as KubeObject;
    return { apiVersion, kind, ...reduceObject(object, shape) } as T;
  };
  const { apiVersion, kind } = named;
  const take = (reader: ProtoReader, end: number): T =>
    readMessage(reader, end, shape, { apiVersion, kind }) as T;
  const fromProto = (bytes: Buffer): T => {
    const message = unwrap(bytes, kind);
    return take(new ProtoReader(message), message.length);
  };
  return {
    accept: shape.isKnown ? "application/vnd.kubernetes.protobuf, application/json" : "application/json",
    object: (answer) => (answer.isProtobuf ? fromProto(answer.octets) : fromJson(answer.json())),
    list: (answer, maxObjectBytes) => {
      const options: ListReaderOptions = { ...named, maxObjectBytes };
      return isProtobuf(answer) ? new ProtoList(options, take) : new JsonList(answer, options, fromJson);
    },
    events: (answer, maxEventBytes) => {
      const options: EventReaderOptions = { what: answer.what, maxEventBytes };
      if (!isProtobuf(answer)) return new JsonEvents(options, fromJson);
      return new ProtoEvents(options, fromProto);
    },
  };
}
