import { readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { TrustBundle } from "@newleaf/x509";
import { type Clock, systemClock } from "./clock.ts";
import { RotationError } from "./error.ts";
import type { Announcements } from "./gate.ts";
import { createIdentityHolder } from "./identity-holder.ts";
import type { MaterialNames } from "./identity-material.ts";
import type { IdentitySource, Refusal } from "./identity-source.ts";
import { createDirectoryWatcher } from "./internal/directory-watcher.ts";
import { type FollowedFiles, followFiles } from "./internal/follow-files.ts";
import { describeFrozenMounts } from "./internal/frozen-mounts.ts";
import { DEFAULT_MAX_BYTES } from "./internal/parse-material.ts";
import { type IdentityPaths, partsOf } from "./internal/read-identity.ts";
import type { Logger } from "./logger.ts";

export type WatchFilesOptions = WatchFilesLocation & {
  /** Accept an update with other names than before. Default false. */
  readonly allowIdentityChange?: boolean;
  /** How long files outside an AtomicWriter volume must stay the same before they count as written. Default 75. */
  readonly settleMs?: number;
  /** How often the contents are compared in any case, should an event be missed. Default 10 s. */
  readonly pollMs?: number;
  /** Default 1 MiB for each file. */
  readonly maxBytes?: number;
  /** How long to wait for the first good identity. Default 60 s. */
  readonly firstTimeoutMs?: number;
  /** Ends the wait for the first good identity; afterwards only disposal ends the source. */
  readonly signal?: AbortSignal;
  /** Whether the source keeps the process alive until it is disposed, as a listening server does. Default true. */
  readonly persistent?: boolean;
  /** Told of each refusal, also while the first good identity is still waited for. */
  readonly onRefusal?: (refusal: Refusal) => void;
  /** Who else must agree before files are taken. */
  readonly announcements?: Announcements;
  readonly clock?: Clock;
  readonly logger?: Logger;
};

/** A directory with the names in it (defaults: those of Kubernetes), or each file where it is. */
export type WatchFilesLocation =
  | {
      readonly directory: string;
      readonly files?: {
        /** The leaf and its intermediates. Default `tls.crt`. */
        readonly certificate?: string;
        /** Default `tls.key`. */
        readonly key?: string;
        /** The authorities that peers and the chain itself must come from, as a file or as they are. Default `ca.crt`. */
        readonly trust?: string | TrustBundle;
        /** Revocation lists, one for every authority. Without it revocation is not checked. */
        readonly crl?: string;
      };
    }
  | {
      readonly certificate: string;
      readonly key: string;
      readonly trust: string | TrustBundle;
      readonly crl?: string;
    };

/**
 * Follows certificate, key and trust in files: AtomicWriter volumes (Secret, projected, CSI), plain directories,
 * directories swapped by symbolic link or rename, files written in place. Resolves with the first good identity, and
 * rejects with ERR_ROTATION_NO_IDENTITY, which names what was wrong last. A swap of `..data` is taken at once; other
 * changes once they have settled.
 */
export async function watchFiles(options: WatchFilesOptions): Promise<IdentitySource> {
  const paths = pathsOf(options);
  const clock = options.clock ?? systemClock;
  const holder = createIdentityHolder({
    ...options,
    names: namesOf(paths),
    clock,
    warnings: () => [...describeFrozenMounts(readMountInfo(), resolvedFiles(paths)), ...files.warnings()],
  });
  const files: FollowedFiles = followFiles(paths, holder, {
    clock,
    settleMs: options.settleMs ?? 75,
    pollMs: options.pollMs ?? 10_000,
    maxBytes: options.maxBytes ?? DEFAULT_MAX_BYTES,
    createWatcher: createDirectoryWatcher,
  });
  // Timers and watches do not keep the process alive, so that this one handle decides.
  const alive = setInterval(() => {}, 2 ** 30);
  const close = async (): Promise<void> => {
    clearInterval(alive);
    files.close();
    holder.close();
  };
  try {
    files.start();
    await holder.first({ signal: options.signal, timeoutMs: options.firstTimeoutMs ?? 60_000 });
  } catch (error) {
    await close();
    throw error;
  }
  if (options.persistent === false) alive.unref();
  return holder.asSource({ reload: () => files.reload(), close });
}

function pathsOf(options: WatchFilesLocation): IdentityPaths {
  if ("certificate" in options) {
    const { certificate, key, trust, crl } = options;
    return absolute({ certificate, key, trust, crl });
  }
  if (typeof options.directory !== "string") {
    throw new RotationError(
      "ERR_ROTATION_OPTIONS",
      "either a directory or certificate, key and trust are needed",
    );
  }
  const { certificate = "tls.crt", key = "tls.key", trust = "ca.crt", crl } = options.files ?? {};
  return absolute({ certificate, key, trust, crl }, options.directory);
}

function absolute(paths: IdentityPaths, directory = "."): IdentityPaths {
  const { certificate, key, trust, crl } = paths;
  return {
    certificate: resolve(directory, certificate),
    key: resolve(directory, key),
    trust: typeof trust === "string" ? resolve(directory, trust) : trust,
    crl: crl === undefined ? undefined : resolve(directory, crl),
  };
}

function namesOf({ certificate, key, trust, crl }: IdentityPaths): MaterialNames {
  return {
    certificate: basename(certificate),
    key: basename(key),
    trust: typeof trust === "string" ? basename(trust) : "the trust bundle",
    crl: crl === undefined ? "" : basename(crl),
  };
}

function resolvedFiles(paths: IdentityPaths): readonly string[] {
  return partsOf(paths).flatMap((path) => {
    try {
      return join(realpathSync.native(dirname(path)), basename(path));
    } catch {
      return [];
    }
  });
}

function readMountInfo(): string {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return "";
  }
}
