import { join } from "node:path";
import { type CheckResult, delay, type FilePublisher, type Logger } from "@newleaf/daemon";
import type { JwtBundles, JwtSvid, WorkloadApiClient } from "@newleaf/spiffe";
import type { HelperConfig } from "../config/config.ts";
import type { JwtSvidConfig } from "../config/parts.ts";
import { HelperError } from "../error.ts";
import { renderJwtBundles } from "../write/render-jwt.ts";
import { persist } from "./persist.ts";
import type { WriteStatuses } from "./write-statuses.ts";

export interface JwtFilesOptions {
  readonly config: HelperConfig;
  readonly client: Pick<WorkloadApiClient, "fetchJwtSvids" | "watchJwtBundles">;
  readonly publisher: FilePublisher;
  readonly statuses: WriteStatuses;
  readonly logger: Logger;
  /** After each file that was written. */
  readonly onWritten: () => void;
}

/** The JWT-SVIDs and JWT bundles that are kept on disk. */
export interface JwtFiles {
  /** Follows the bundles, and writes each change. Ends with the signal, or when the Workload API refuses for good. */
  watchBundles(signal: AbortSignal): Promise<void>;
  /** Writes one token, and the next when half of its time is over. */
  keepSvid(svid: JwtSvidConfig, signal: AbortSignal): Promise<void>;
  /** Both once. */
  writeOnce(signal: AbortSignal): Promise<void>;
  /** Whether every token on disk is valid now. */
  check(now: Date): CheckResult;
}

export function createJwtFiles(options: JwtFilesOptions): JwtFiles {
  const { config, client, publisher, statuses, logger, onWritten } = options;
  const { directory, jwtBundle, modes } = config.files;
  const expiries = new Map<string, Date>();

  const publish = async (name: string, content: string, mode: number): Promise<void> => {
    const path = join(directory, name);
    try {
      await publisher.publish(name, new Map([[name, { content, mode }]]));
    } catch (error) {
      statuses.jwt.set(path, "failed");
      throw error;
    }
    statuses.jwt.set(path, "written");
    onWritten();
  };
  let lastBundles: string | undefined;
  const publishBundles = async (bundles: JwtBundles): Promise<void> => {
    const content = renderJwtBundles(bundles);
    // The Workload API sends everything with each change of anything, and a signal may follow each write.
    if (jwtBundle === undefined || content === lastBundles) return;
    await publish(jwtBundle, content, modes.jwtBundle);
    lastBundles = content;
    logger.info({ file: jwtBundle, trustDomains: [...bundles.keys()] }, "JWT bundles written");
  };
  const writeSvid = async ({ audiences, fileName }: JwtSvidConfig, signal: AbortSignal): Promise<JwtSvid> => {
    const svid = pick(await client.fetchJwtSvids({ audience: audiences, signal }), config.hint);
    if (svid === undefined) {
      statuses.jwt.set(join(directory, fileName), "failed");
      throw new HelperError(
        "ERR_HELPER_NO_IDENTITY",
        `no JWT-SVID has the hint ${JSON.stringify(config.hint)}`,
      );
    }
    await publish(fileName, svid.token, modes.jwtSvid);
    expiries.set(fileName, svid.expiresAt);
    logger.info({ file: fileName, audiences, expiresAt: svid.expiresAt }, "JWT-SVID written");
    return svid;
  };
  const complain = (what: string) => (error: unknown) => {
    logger.warn(
      { error: error instanceof Error ? error.message : String(error) },
      `${what} not written, trying again`,
    );
  };

  return {
    async watchBundles(signal) {
      for await (const update of client.watchJwtBundles(signal)) {
        if (update.kind === "failure") complain("JWT bundles")(update.error);
        else
          await persist(() => publishBundles(update.value), { signal, onFailure: complain("JWT bundles") });
      }
    },
    async keepSvid(svid, signal) {
      for (;;) {
        const { expiresAt } = await persist(() => writeSvid(svid, signal), {
          signal,
          onFailure: complain("JWT-SVID"),
        });
        await delay(Math.max(1_000, (expiresAt.getTime() - Date.now()) / 2), signal);
      }
    },
    async writeOnce(signal) {
      const bundles = async (): Promise<void> => {
        for await (const update of client.watchJwtBundles(signal)) {
          if (update.kind === "failure") complain("JWT bundles")(update.error);
          else
            return persist(() => publishBundles(update.value), {
              signal,
              onFailure: complain("JWT bundles"),
            });
        }
        signal.throwIfAborted();
      };
      const svids = config.jwtSvids.map((svid) =>
        persist(() => writeSvid(svid, signal), { signal, onFailure: complain("JWT-SVID") }),
      );
      await Promise.all([...(jwtBundle === undefined ? [] : [bundles()]), ...svids]);
    },
    check(now) {
      const expired = [...expiries].find(([, expiresAt]) => expiresAt <= now);
      if (expired === undefined) return { ok: true };
      return { ok: false, reason: `the JWT-SVID in ${expired[0]} expired at ${expired[1].toISOString()}` };
    },
  };
}

function pick(svids: readonly JwtSvid[], hint: string): JwtSvid | undefined {
  return hint === "" ? svids[0] : svids.find((svid) => svid.hint === hint);
}
