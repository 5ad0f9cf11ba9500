import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, locate, type Peer, type PeerOptions, reportedVersion, startProcess } from "./peer.ts";

/** nginx reads its files at `nginx -s reload`; old workers serve the old certificate until they have gone. */
export async function startNginx(options: PeerOptions): Promise<Peer> {
  const { directory, workDirectory, pinCpu } = options;
  const program = await locate("NEWLEAF_NGINX");
  const port = await freePort();
  const configuration = join(workDirectory, "nginx.conf");
  await writeFile(
    configuration,
    nginxConfiguration({ directory, workDirectory, port, workers: pinCpu === undefined ? "auto" : "1" }),
  );
  // -e: the log that is open before the configuration is read, else one below /var.
  const args = ["-e", join(workDirectory, "nginx-error.log"), "-p", workDirectory, "-c", configuration];
  const { pid, stop } = await startProcess({ name: "nginx", program, args, port, workDirectory, pinCpu });
  return {
    name: "nginx",
    version: await reportedVersion(program, ["-v"], /nginx\/(\S+)/),
    pid,
    port,
    async reload() {
      await promisify(execFile)(program, [...args, "-s", "reload"], { timeout: 10_000 });
    },
    stop,
  };
}

interface NginxValues extends Pick<PeerOptions, "directory" | "workDirectory"> {
  readonly port: number;
  readonly workers: string;
}

function nginxConfiguration({ directory, workDirectory, port, workers }: NginxValues): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path "${workDirectory}/${kind}";`)
    .join("\n");
  return `daemon off;
worker_processes ${workers};
pid "${workDirectory}/nginx.pid";
error_log "${workDirectory}/nginx-error.log" notice;
events { worker_connections 4096; }
http {
  access_log off;
${temporary}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_protocols TLSv1.3;
    ssl_certificate "${directory}/tls.crt";
    ssl_certificate_key "${directory}/tls.key";
    ssl_client_certificate "${directory}/ca.crt";
    ssl_verify_client on;
    ssl_verify_depth 3;
    location / {
      default_type text/plain;
      return 200 "hello\\n";
    }
  }
}
`;
}
