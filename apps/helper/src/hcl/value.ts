/** Where something was written, both from 1; columns count characters, as HCL1 does. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type HclValue = HclScalar | HclList | HclObject;

/** Numbers stay as they were written, since `0644` and `644` differ. */
export interface HclScalar {
  readonly kind: "string" | "number" | "boolean";
  readonly text: string;
  readonly place: Place;
}

export interface HclList {
  readonly kind: "list";
  readonly items: readonly HclValue[];
  readonly place: Place;
}

export interface HclObject {
  readonly kind: "object";
  /** In the order of the file, duplicates included. */
  readonly items: readonly HclItem[];
  readonly place: Place;
}

/** `key = value`, `key { }` or `key "label" { }`. */
export interface HclItem {
  readonly key: string;
  readonly labels: readonly string[];
  readonly value: HclValue;
  readonly place: Place;
}
