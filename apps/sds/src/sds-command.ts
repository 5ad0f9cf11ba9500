import { defineCommand, duration, type LeafCommand, z } from "@newleaf/daemon";
import { allowOptions } from "@newleaf/observe";
import { runSds } from "./run-sds.ts";

const texts = z.array(z.string().min(1)).default([]);

/** `newleaf sds`: Envoy's secret discovery service. */
export const sdsCommand: LeafCommand = defineCommand({
  name: "sds",
  summary: "certificates and trust for Envoy, by its secret discovery service",
  description:
    "Serves identities from directories and from the SPIFFE Workload API as secrets, over a unix socket or mTLS, and " +
    "knows of each whether every Envoy has taken it over. Whoever may connect gets every secret, keys included.",
  examples: [
    {
      command: "newleaf sds --listen unix:/run/newleaf/sds.sock --identity web=/etc/tls",
      note: "secrets web (certificate) and web-ca (validation context)",
    },
    {
      command:
        "newleaf sds --listen unix:/run/newleaf/sds.sock --workload-api unix:///run/spire/agent.sock --match-san ROOTCA=uri:spiffe://shop/frontend",
      note: "the names of the SPIRE agent: default, ROOTCA, ALL, SPIFFE IDs",
    },
  ],
  longRunning: true,
  options: {
    listen: {
      flag: "--listen <address>",
      description: "unix:/PATH, or HOST:PORT for mTLS with one of the identities",
      schema: z.string().min(1),
    },
    socketMode: {
      flag: "--socket-mode <mode>",
      description: "of the unix socket, such as 0660 for its group",
      schema: z
        .string()
        .regex(/^0?[0-7]{3}$/, "expected an octal file mode such as 0660")
        .transform((text) => Number.parseInt(text, 8)),
      default: "0600",
    },
    identity: {
      flag: "--identity <name=dir>",
      description: "serve tls.crt and tls.key of this directory as secret NAME, its ca.crt as NAME-ca",
      schema: texts,
      repeatable: true,
    },
    crl: {
      flag: "--crl <name=file>",
      description: "revocation lists of an identity's authorities, for its NAME-ca",
      schema: texts,
      repeatable: true,
    },
    workloadApi: {
      flag: "--workload-api <address>",
      description: "serve what the SPIFFE Workload API there gives to this process",
      schema: z.string().min(1).optional(),
      env: "SPIFFE_ENDPOINT_SOCKET",
    },
    matchSan: {
      flag: "--match-san <name=matcher>",
      description: "let a validation context accept only peers with this name: TYPE:VALUE, TYPE-prefix:VALUE",
      schema: texts,
      repeatable: true,
    },
    allowIdentityChange: {
      flag: "--allow-identity-change",
      description: "take certificates from directories with other names than those of the start",
      schema: z.boolean(),
      default: false,
    },
    listenIdentity: {
      flag: "--listen-identity <name>",
      description: "over TCP, which identity to show; needed where there are several (workload-api is one)",
      schema: z.string().min(1).optional(),
    },
    ...allowOptions,
    ackTimeout: {
      flag: "--ack-timeout <duration>",
      description: "how long Envoys may take to answer before a rotation counts as stalled",
      schema: duration({ min: "100ms" }),
      default: "30s",
    },
    maxStreams: {
      flag: "--max-streams <n>",
      description: "open streams at the same time; more are refused",
      schema: z.coerce.number().int().min(1).max(100_000),
      default: "10000",
    },
    maxNames: {
      flag: "--max-names <n>",
      description: "secrets that one stream may ask for",
      schema: z.coerce.number().int().min(1).max(10_000),
      default: "256",
    },
    keepalive: {
      flag: "--keepalive <duration>",
      description: "how often to ask whether an Envoy that says nothing is still there",
      schema: duration({ min: "1s" }),
      default: "30s",
    },
  },
  run: (config, context) => runSds(config, context),
});
