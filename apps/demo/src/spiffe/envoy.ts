import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sdsCommand } from "@newleaf/sds";
import { type EmbeddedProgram, startEmbeddedProgram } from "../embedded-program.ts";
import { type Child, freePort, startChild } from "./child.ts";
import { envoyBootstrap } from "./envoy-bootstrap.ts";

/** Envoy between frontend and backend, with all its secrets from `newleaf sds`. */
export interface Envoy extends AsyncDisposable {
  readonly port: number;
  readonly child: Child;
  readonly sds: EmbeddedProgram;
}

export interface EnvoyOptions {
  readonly program: string;
  /** An existing folder. */
  readonly directory: string;
  /** Of its Workload API. */
  readonly address: string;
  /** SPIFFE ID of whom alone it lets in. */
  readonly client: string;
  readonly upstream: { readonly port: number; readonly id: string };
}

export async function startEnvoy(options: EnvoyOptions): Promise<Envoy> {
  const home = join(options.directory, "envoy");
  await mkdir(home, { mode: 0o700 });
  const [socket, file] = [join(home, "sds.sock"), join(home, "envoy.json")];
  const sds = startEmbeddedProgram(sdsCommand, [
    "--listen",
    `unix:${socket}`,
    "--workload-api",
    options.address,
  ]);
  const port = await freePort();
  await writeFile(file, JSON.stringify(envoyBootstrap({ ...options, port, sds: socket })));
  try {
    const child = await startChild(
      [
        options.program,
        ...["--config-path", file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"],
      ],
      { name: "envoy", cwd: home },
    );
    return {
      port,
      child,
      sds,
      async [Symbol.asyncDispose]() {
        await child[Symbol.asyncDispose]();
        await sds[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await sds[Symbol.asyncDispose]();
    throw error;
  }
}
