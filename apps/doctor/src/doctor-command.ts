import {
  DaemonError,
  defineCommand,
  duration,
  jsonOption,
  type LeafCommand,
  usageError,
  z,
} from "@newleaf/daemon";
import { KubeError } from "@newleaf/kube";
import { parseTarget } from "@newleaf/rotation";
import { workloadApiAddress } from "@newleaf/spiffe";
import { DEFAULT_ANNOTATION_PREFIX } from "@newleaf/webhook";
import { diagnose } from "./diagnose.ts";
import { gather } from "./gather.ts";
import { renderReport, reportJson } from "./render-report.ts";

const path = z.string().min(1).optional();
const directory = z
  .string()
  .min(1)
  .refine((text) => !/^(?:unix|tcp):/.test(text), {
    error: "a directory of files; the Workload API is asked with --workload-api",
  })
  .optional();
// A keyword string would be taken for a path, and a host be looked for that nobody named.
const dsn = z
  .string()
  .refine((text) => text.startsWith("/") || URL.canParse(text), {
    error: "a postgres:// URL, such as postgres://user@host:5432/database",
  })
  .optional();
const objectName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, "is no name of an object: a-z, 0-9, - and . only");
const target = z.string().superRefine(accepted((text) => parseTarget(text)));

/** A check of an option by what will read it later, and says itself what is wrong. */
function accepted(read: (text: string) => unknown): (text: string, context: z.RefinementCtx) => void {
  return (text, context) => {
    try {
      read(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
    }
  };
}

/** `newleaf doctor [TARGET…]`: stored against served, and in words which failure it is. */
export const doctorCommand: LeafCommand = defineCommand({
  name: "doctor",
  summary: "what is wrong between the certificates stored and those served, and what mends it",
  description:
    "Looks once at what is stored, at what each target serves, at what PostgreSQL says of its last reload and at what " +
    "the API server knows of a webhook's certificate, and says which of the known failures this is, with the command that mends it. Changes nothing. Exits 0 when all is " +
    "well, 1 when something is wrong.",
  examples: [
    {
      command: "newleaf doctor postgres://db --certs /spiffe-certs --client-certs /backend-certs",
      note: "both sides of a database connection",
    },
    {
      command: "newleaf doctor --webhook newleaf-webhook --namespace newleaf",
      note: "why a webhook's certificate is not issued, followed, trusted or renewed",
    },
    {
      command: "newleaf doctor postgres://127.0.0.1 --postgres postgres:///postgres?host=/var/run/postgresql",
      note: "beside PostgreSQL, which is asked for its files, its last reload and its sessions",
    },
  ],
  arguments: {
    targets: {
      placeholder: "[target...]",
      description:
        "https://HOST[:PORT][/PATH], tls://HOST:PORT, HOST:PORT, postgres://HOST[:PORT] or unix:/PATH",
      schema: z.array(target).default([]),
    },
  },
  options: {
    certs: { flag: "--certs <dir>", description: "directory that the targets serve from", schema: directory },
    clientCerts: {
      flag: "--client-certs <dir>",
      description: "directory of what connects to them: its identity is presented, its bundle judges",
      schema: directory,
    },
    postgres: {
      flag: "--postgres <dsn>",
      description:
        "connection to ask for files, last reload and sessions; a password belongs into PGPASSWORD",
      schema: dsn,
    },
    postgresData: {
      flag: "--postgres-data <dir>",
      description: "data directory to read the TLS settings from, where no connection can be made",
      schema: path,
    },
    workloadApi: {
      flag: "--workload-api <address>",
      description:
        "SPIFFE Workload API, unix:///path: whether it has an identity, and a newer one than is stored",
      schema: z.string().superRefine(accepted(workloadApiAddress)).optional(),
      env: "SPIFFE_ENDPOINT_SOCKET",
    },
    webhook: {
      flag: "--webhook <name>",
      description:
        "an elected webhook certificate, by the name of its Lease and Secret; the API server is asked",
      schema: objectName.optional(),
    },
    namespace: {
      flag: "--namespace <name>",
      description: "of that webhook; by default that of the kubeconfig, or this Pod's",
      schema: objectName.optional(),
      env: "POD_NAMESPACE",
    },
    service: {
      flag: "--service <name>",
      description: "the Service that it is called by; by default --webhook",
      schema: objectName.optional(),
    },
    selector: {
      flag: "--selector <labels>",
      description: "of its Pods; by default app.kubernetes.io/name=NAME",
      schema: path,
    },
    annotationPrefix: {
      flag: "--annotation-prefix <prefix>",
      description: "of the annotations on Lease, Secrets and Pods",
      schema: objectName,
      default: DEFAULT_ANNOTATION_PREFIX,
    },
    kubeconfig: {
      flag: "--kubeconfig <file>",
      description: "by default KUBECONFIG, ~/.kube/config, or the service account of this Pod",
      schema: path,
    },
    context: {
      flag: "--context <name>",
      description: "of the kubeconfig, instead of its current one",
      schema: path,
    },
    serverName: {
      flag: "--server-name <name>",
      description: "name to ask for (SNI) instead of the target's host",
      schema: z.string().min(1).optional(),
    },
    timeout: {
      flag: "--timeout <duration>",
      description: "for each look",
      schema: duration({ min: "1ms", max: "1h" }),
      default: "5s",
    },
    json: jsonOption,
  },
  async run(config, { signal, logger, stdout, style, env }) {
    const { targets, certs, clientCerts, postgres, postgresData, workloadApi, webhook } = config;
    const stores = [certs, clientCerts, postgres, postgresData, workloadApi, webhook];
    if (targets.length === 0 && stores.every((given) => given === undefined)) {
      throw usageError(
        "neither a target nor a store was named",
        "newleaf doctor postgres://db --certs /etc/tls",
      );
    }
    const looking = gather({
      targets,
      certificates: certs,
      clientCertificates: clientCerts,
      postgres,
      postgresData,
      workloadApi,
      webhook: webhook === undefined ? undefined : { ...config, name: webhook, env },
      servername: config.serverName,
      timeoutMs: config.timeout,
      signal,
      logger,
    });
    const facts = await looking.catch(withoutKubeconfig);
    const now = new Date();
    const report = diagnose(facts, now);
    const text = config.json
      ? JSON.stringify(reportJson(report), undefined, 2)
      : renderReport(report, style, now);
    stdout.write(`${text}\n`);
    return report.ok ? 0 : 1;
  },
});

/** A kubeconfig that cannot work is a wrong configuration: exit code 2. */
function withoutKubeconfig(cause: unknown): never {
  if (!(cause instanceof KubeError) || cause.code !== "ERR_KUBE_CONFIG") throw cause;
  const hint = "name a kubeconfig with --kubeconfig";
  throw new DaemonError("ERR_DAEMON_CONFIG", cause.message, { hint, cause });
}
