import { resolve } from "node:path";
import { type Clock, type Logger, usageError } from "@newleaf/daemon";
import { type Generation, type IdentitySource, type Refusal, watchFiles } from "@newleaf/rotation";
import type { Distrust } from "./distrust.ts";
import { contextName, generationSecrets } from "./file-secrets.ts";
import type { SanMatchers } from "./san-matcher.ts";
import type { SecretStore } from "./secret-store.ts";
import { isSpiffeName } from "./spiffe-secrets.ts";

/** An identity to serve secrets of, before there is one. */
export interface IdentityPlan {
  /** As logs, metrics and `/rotations` call it. */
  readonly name: string;
  /** Whether a validation context of this name can be among its secrets. */
  mayTrustAs(context: string): boolean;
  /** Waits for a first good identity for as long as it takes. */
  open(waiting: Waiting): Promise<OpenIdentity>;
}

interface Waiting {
  readonly signal: AbortSignal;
  /** What keeps it waiting. */
  readonly onRefusal: (refusal: Pick<Refusal, "message">) => void;
}

/** An identity and its secrets. Disposal closes the source. */
export interface OpenIdentity extends AsyncDisposable {
  readonly source: IdentitySource;
  /** Publishes the secrets of this generation. Idempotent. */
  publish(generation: Generation): void;
  /** Names published so far. */
  names(): readonly string[];
  /** Revokes what clients have had from before, if the name is one of this identity's kind. */
  adopt(names: readonly string[]): void;
}

export interface PlanParts {
  readonly store: SecretStore;
  readonly distrust: Distrust;
  readonly sans: SanMatchers;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** An identity in a directory: a certificate volume, a mounted Secret, or plain files. */
export function filePlan(
  file: { readonly name: string; readonly directory: string; readonly crl: string | undefined },
  parts: PlanParts & { readonly allowIdentityChange: boolean },
): IdentityPlan {
  const { name, directory, crl } = file;
  const { store, logger, allowIdentityChange } = parts;
  return {
    name,
    mayTrustAs: (context) => context === contextName(name),
    async open({ signal, onRefusal }) {
      const source = await watchFiles({
        directory,
        ...(crl !== undefined && { files: { crl: resolve(crl) } }),
        allowIdentityChange,
        firstTimeoutMs: Number.POSITIVE_INFINITY,
        signal,
        logger,
        onRefusal,
      });
      return {
        source,
        publish: (generation) => void store.publish(generationSecrets(name, generation, parts)),
        names: () => [name, contextName(name)],
        adopt: () => {},
        [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
      };
    },
  };
}

const HINT = "write NAME=DIRECTORY, such as web=/etc/tls";

/** Reads `NAME=PATH` for each identity, and that no two secrets have one name. */
export function parseNamedPaths(flag: string, texts: readonly string[]): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const text of texts) {
    const [, name = "", path = ""] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (name === "") throw usageError(`${flag} ${JSON.stringify(text)} is not NAME=PATH`, HINT);
    if (paths.has(name)) throw usageError(`${flag}: ${name} is given twice`);
    if (isSpiffeName(name) || name.length > 256) {
      throw usageError(`${flag}: ${name} cannot be a name: SPIFFE has it, or it is too long`, HINT);
    }
    paths.set(name, path);
  }
  for (const name of paths.keys()) {
    if (paths.has(contextName(name))) {
      throw usageError(
        `${flag}: ${contextName(name)} is the validation context of ${name}`,
        "choose another name",
      );
    }
  }
  return paths;
}
