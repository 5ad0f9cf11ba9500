import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, locate, reportedVersion, startProcess } from "./peer.ts";

/** A program that writes what a Workload API sends to files. */
export interface CredentialHelper {
  /** As tables show it. */
  readonly title: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface CredentialHelperOptions {
  /** The Workload API's unix socket. */
  readonly socketPath: string;
  /** Gets svid.pem, svid_key.pem and svid_bundle.pem. */
  readonly directory: string;
  readonly workDirectory: string;
}

export type CredentialHelperName = "Newleaf, LTS Node" | "Newleaf, this Node" | "spiffe-helper";

/** Starts one with the same configuration as the others; rejects with a PeerError where it is not installed. */
export async function startCredentialHelper(
  name: CredentialHelperName,
  { socketPath, directory, workDirectory }: CredentialHelperOptions,
): Promise<CredentialHelper> {
  const { title, program, args } = await programOf(name);
  const port = await freePort();
  const config = join(workDirectory, "helper.conf");
  writeFileSync(
    config,
    `agent_address = "${socketPath}"
cert_dir = "${directory}"
svid_file_name = "svid.pem"
svid_key_file_name = "svid_key.pem"
svid_bundle_file_name = "svid_bundle.pem"
health_checks { listener_enabled = true
  bind_port = ${port} }
`,
  );
  const { pid, stop } = await startProcess({
    name: "helper",
    program,
    args: [...args, "-config", config],
    port,
    workDirectory,
  });
  return { title, pid, stop };
}

async function programOf(
  name: CredentialHelperName,
): Promise<{ title: string; program: string; args: readonly string[] }> {
  if (name === "spiffe-helper") {
    const program = await locate("NEWLEAF_SPIFFE_HELPER");
    return { title: `${name} ${await reportedVersion(program, ["-version"], /(\d\S+)/)}`, program, args: [] };
  }
  const program = name === "Newleaf, LTS Node" ? await locate("NEWLEAF_NODE_LTS") : process.execPath;
  const version = await reportedVersion(program, ["--version"], /^v(\S+)/);
  const cli = fileURLToPath(new URL("../../apps/cli/dist/main.js", import.meta.url));
  return { title: `Newleaf, Node ${version}`, program, args: [cli, "helper"] };
}
