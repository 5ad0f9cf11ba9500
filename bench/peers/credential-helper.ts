import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, locate, PeerError, reportedVersion, startProcess } from "./peer.ts";

type CredentialHelperName = "Newleaf, LTS Node" | "Newleaf, this Node" | "spiffe-helper";

const names: readonly CredentialHelperName[] = ["Newleaf, LTS Node", "Newleaf, this Node", "spiffe-helper"];

/** A program that writes what a Workload API sends to files. */
export interface CredentialHelperProgram {
  readonly name: CredentialHelperName;
  /** As tables show it. */
  readonly title: string;
  readonly program: string;
  readonly args: readonly string[];
}

export interface CredentialHelperConfig {
  /** The Workload API's unix socket. */
  readonly socketPath: string;
  /** Gets svid.pem, svid_key.pem and svid_bundle.pem. */
  readonly directory: string;
  /** An existing folder for configuration and log. */
  readonly workDirectory: string;
  /** More lines of its configuration. */
  readonly lines?: readonly string[];
}

export interface CredentialHelper {
  readonly pid: number;
  /** On the machine's monotonic clock, just before it was started. */
  readonly spawnedNs: number;
  stop(): Promise<void>;
}

/** Those that are installed, and a line for each that is not. */
export async function locateCredentialHelpers(): Promise<{
  programs: readonly CredentialHelperProgram[];
  absent: readonly string[];
}> {
  const programs: CredentialHelperProgram[] = [];
  const absent: string[] = [];
  for (const name of names) {
    try {
      programs.push({ name, ...(await programOf(name)) });
    } catch (error) {
      if (!(error instanceof PeerError) || error.code !== "unavailable") throw error;
      absent.push(`${name}: ${error.message}`);
    }
  }
  return { programs, absent };
}

/** Starts one with the same configuration as the others; resolves once it answers for its health. */
export async function startCredentialHelper(
  { program, args }: CredentialHelperProgram,
  config: CredentialHelperConfig,
): Promise<CredentialHelper> {
  const port = await freePort();
  const health = `health_checks { listener_enabled = true\n  bind_port = ${port} }`;
  const path = writeConfig({ ...config, lines: [...(config.lines ?? []), health] });
  return startProcess({
    name: "helper",
    program,
    args: [...args, "-config", path],
    port,
    workDirectory: config.workDirectory,
  });
}

/** The file's path. */
export function writeConfig({
  socketPath,
  directory,
  workDirectory,
  lines = [],
}: CredentialHelperConfig): string {
  const path = join(workDirectory, "helper.conf");
  const all = [
    `agent_address = "${socketPath}"`,
    `cert_dir = "${directory}"`,
    'svid_file_name = "svid.pem"',
    'svid_key_file_name = "svid_key.pem"',
    'svid_bundle_file_name = "svid_bundle.pem"',
    ...lines,
  ];
  writeFileSync(path, `${all.join("\n")}\n`);
  return path;
}

async function programOf(name: CredentialHelperName): Promise<Omit<CredentialHelperProgram, "name">> {
  if (name === "spiffe-helper") {
    const program = await locate("NEWLEAF_SPIFFE_HELPER");
    return { title: `${name} ${await reportedVersion(program, ["-version"], /(\d\S+)/)}`, program, args: [] };
  }
  const program = name === "Newleaf, LTS Node" ? await locate("NEWLEAF_NODE_LTS") : process.execPath;
  const version = await reportedVersion(program, ["--version"], /^v(\S+)/);
  const cli = fileURLToPath(new URL("../../apps/cli/dist/main.js", import.meta.url));
  return { title: `Newleaf, Node ${version}`, program, args: [cli, "helper"] };
}
