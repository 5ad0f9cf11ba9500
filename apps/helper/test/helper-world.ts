import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createSpiffeAuthority,
  type SpiffeAuthority,
  startWorkloadApi,
  type WorkloadApiOptions,
  type WorkloadApiServer,
} from "@newleaf/testing";
import { parseCertificates } from "@newleaf/x509";
import { expect } from "vitest";
import { type Running, start } from "./run-command.ts";

const deadline = { timeout: 20_000, interval: 20 };

/** A trust domain, its Workload API, a directory to write to, and helpers that are started in it. */
export interface World extends AsyncDisposable {
  readonly authority: SpiffeAuthority;
  readonly api: WorkloadApiServer;
  readonly directory: string;
  readonly certDir: string;
  readonly path: (name: string) => string;
  /** Starts a helper with this HCL behind the names of the three files. */
  helper(hcl?: string, options?: HelperOptions): Promise<Helper>;
  text(name: string): Promise<string>;
  /** Serial number of the leaf on disk; undefined while there is none. */
  serial(name?: string): Promise<string | undefined>;
  /** Waits until the leaf on disk is the one that the Workload API has now. */
  untilCurrent(): Promise<void>;
}

interface HelperOptions {
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The whole file, instead of that with the three names. */
  readonly file?: string;
}

interface Helper extends Running {
  /** Ends it as SIGTERM does, and resolves with its exit code. */
  stop(): Promise<number>;
  untilLogged(message: string, count?: number): Promise<void>;
  /** GET on the admin server. */
  admin(path: string): Promise<{ readonly status: number; readonly body: string }>;
}

export const threeNames = `svid_file_name = "svid.pem"
svid_key_file_name = "key.pem"
svid_bundle_file_name = "bundle.pem"
`;

export async function createWorld(
  options: Partial<WorkloadApiOptions> & { authority?: SpiffeAuthority } = {},
): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), "nl-helper-"));
  const certDir = join(directory, "certs");
  await mkdir(certDir);
  const authority = options.authority ?? createSpiffeAuthority();
  const api = await startWorkloadApi({ ...options, authority });
  const helpers: Helper[] = [];
  const path = (name: string) => join(certDir, name);
  const text = (name: string) => readFile(path(name), "utf8");
  const serial = async (name = "svid.pem") => {
    const pem = await text(name).catch(() => "");
    return pem === "" ? undefined : parseCertificates(pem)[0]?.serialNumber;
  };
  return {
    authority,
    api,
    directory,
    certDir,
    path,
    text,
    serial,
    untilCurrent: () =>
      expect
        .poll(() => serial(), deadline)
        .toBe(api.svids[0]?.identity.certificate.serialNumber) as unknown as Promise<void>,
    async helper(hcl = "", { argv = [], env = {}, file } = {}) {
      const config = join(directory, `helper-${helpers.length}.conf`);
      await writeFile(
        config,
        file ?? `agent_address = "${api.address}"\ncert_dir = "${certDir}"\n${threeNames}${hcl}`,
      );
      const stop = new AbortController();
      const running = start(["-config", config, "-admin", "127.0.0.1:0", ...argv], {
        env,
        signal: stop.signal,
      });
      const untilLogged = async (message: string, count = 1): Promise<void> => {
        const found = () => running.log().filter(({ msg }) => msg === message).length;
        await expect.poll(found, deadline).toBeGreaterThanOrEqual(count);
      };
      const helper: Helper = {
        ...running,
        untilLogged,
        stop() {
          stop.abort(new Error("interrupted by SIGTERM"));
          return running.code;
        },
        async admin(route) {
          await untilLogged("admin listening");
          const url = running.log().find(({ msg }) => msg === "admin listening")?.url;
          const response = await fetch(`${url}${route}`);
          return { status: response.status, body: await response.text() };
        },
      };
      helpers.push(helper);
      return helper;
    },
    async [Symbol.asyncDispose]() {
      for (const helper of helpers) await helper.stop();
      await api[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Polls with the deadline of these tests. */
export function eventually<T>(look: () => T | Promise<T>): ReturnType<typeof expect.poll<T>> {
  return expect.poll(look, deadline);
}
