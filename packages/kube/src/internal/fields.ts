import { resolve } from "node:path";
import { KubeError } from "../error.ts";

/** The fields of one object of a kubeconfig, checked as they are read. Its errors name the place, never the value. */
export class Fields {
  readonly where: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #directory: string;

  constructor(value: unknown, where: string, directory: string) {
    this.where = where;
    this.#directory = directory;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw this.error("is no mapping");
    this.#values = value as Readonly<Record<string, unknown>>;
  }

  error(why: string): KubeError {
    return new KubeError("ERR_KUBE_CONFIG", `${this.where} ${why}`);
  }

  /** Undefined also when empty, as kubectl has it. */
  string(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === "string") return value || undefined;
    throw this.error(`has a ${name} that is no string`);
  }

  boolean(name: string): boolean {
    const value = this.#get(name) ?? false;
    if (typeof value === "boolean") return value;
    throw this.error(`has a ${name} that is neither true nor false`);
  }

  /** A path, relative to the file it stands in. */
  path(name: string): string | undefined {
    const value = this.string(name);
    return value && resolve(this.#directory, value);
  }

  /** base64 of a text. */
  data(name: string): string | undefined {
    const value = this.string(name)?.replace(/\s+/g, "");
    if (value === undefined) return undefined;
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(value)) throw this.error(`has a ${name} that is no base64`);
    return Buffer.from(value, "base64").toString();
  }

  strings(name: string): readonly string[] {
    const value = this.#get(name) ?? [];
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    throw this.error(`has ${name} that are no list of strings`);
  }

  object(name: string, where: string = `${name} of ${this.where}`): Fields {
    return new Fields(this.#get(name) ?? {}, where, this.#directory);
  }

  has(name: string): boolean {
    return this.#get(name) !== undefined;
  }

  list(name: string): readonly Fields[] {
    const value = this.#get(name) ?? [];
    if (!Array.isArray(value)) throw this.error(`has ${name} that are no list`);
    return value.map(
      (item, index) => new Fields(item, `${name}[${index}] of ${this.where}`, this.#directory),
    );
  }

  names(): readonly string[] {
    return Object.keys(this.#values);
  }

  /** As it is, of any shape. */
  raw(name: string): unknown {
    return this.#get(name);
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }
}
