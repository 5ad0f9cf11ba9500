import {
  type CommandGroup,
  defineCommand,
  defineCommandGroup,
  duration,
  type LeafCommand,
  z,
} from "@newleaf/daemon";
import { allowOptions, dnsNames, requiredAuthorizer, uriNames } from "@newleaf/observe";
import { type Authorizer, allow } from "@newleaf/rotation";
import { requireLocal, startProxyClient } from "./client-proxy.ts";
import { limitOptions, limitsOf } from "./limits.ts";
import { parseListenAddress } from "./listener.ts";
import { identityOptions, runProxy } from "./run-proxy.ts";
import { startProxyServer } from "./server-proxy.ts";
import { parseClientTarget, parseServerTarget } from "./target.ts";

/** `newleaf proxy server`: mTLS in front of any service. */
const serverCommand: LeafCommand = defineCommand({
  name: "server",
  summary: "mTLS in front of any service",
  description:
    "Takes mTLS from allowed clients and passes it on in plain text: HTTP/1.1 and HTTP/2 to an http:// target, with " +
    "the client's identity in X-Forwarded-Client-Cert; bytes to a tcp:// or unix: target.",
  examples: [
    {
      command:
        "newleaf proxy server --listen :8443 --certs /etc/tls --target http://127.0.0.1:8080 --allow-dns frontend.shop.svc",
      note: "a service of the same Pod",
    },
    {
      command: "newleaf proxy server --listen :8443 --certs /etc/tls --target builtin:hello --allow-any",
      note: "says hello to whoever has a certificate",
    },
  ],
  longRunning: true,
  options: {
    listen: { flag: "--listen <host:port>", description: "where to take mTLS", schema: z.string() },
    target: {
      flag: "--target <url>",
      description: "http://HOST:PORT, tcp://HOST:PORT, unix:/PATH or builtin:hello",
      schema: z.string(),
    },
    ...identityOptions,
    ...allowOptions,
    handshakeTimeout: {
      flag: "--handshake-timeout <duration>",
      description: "from the connection to the end of its handshake",
      schema: duration({ min: "1ms" }),
      default: "10s",
    },
    drainTimeout: {
      flag: "--drain-timeout <duration>",
      description: "how long connections may stay on an older certificate; until it expires by default",
      schema: duration().optional(),
    },
    ...limitOptions,
  },
  async run(config, context) {
    const listen = parseListenAddress(config.listen);
    const target = parseServerTarget(config.target);
    const authorize = requiredAuthorizer(config);
    const options = {
      listen,
      target,
      authorize,
      limits: limitsOf(config),
      handshakeTimeoutMs: config.handshakeTimeout,
      ...(config.drainTimeout === undefined ? {} : { drainTimeoutMs: config.drainTimeout }),
      logger: context.logger,
    };
    await runProxy(context, config, (source, hooks) => startProxyServer({ ...options, source, ...hooks }), {
      target: target.name,
      connections: ({ rotation }) =>
        new Map(
          Object.entries(rotation.stats().byGeneration).map(([number, count]) => [Number(number), count]),
        ),
    });
  },
});

/** `newleaf proxy client`: plain text from this machine, mTLS to the target. */
const clientCommand: LeafCommand = defineCommand({
  name: "client",
  summary: "mTLS on the way out for any client",
  description:
    "Takes plain text from this machine and passes it on over mTLS with the current certificate: HTTP/1.1 to an " +
    "https:// target, bytes to a tls:// target. The server must have the target's name, or one that is expected.",
  examples: [
    {
      command:
        "newleaf proxy client --listen 127.0.0.1:8080 --certs /etc/tls --target https://backend-svc:8443",
      note: "then curl http://127.0.0.1:8080/",
    },
  ],
  longRunning: true,
  options: {
    listen: {
      flag: "--listen <address>",
      description: "where to take plain text: 127.0.0.1:PORT or unix:/PATH",
      schema: z.string(),
    },
    target: {
      flag: "--target <url>",
      description: "https://HOST[:PORT] or tls://HOST:PORT",
      schema: z.string(),
    },
    ...identityOptions,
    serverName: {
      flag: "--server-name <name>",
      description:
        "name to ask for (SNI) and to find in the server's certificate, instead of the target's host",
      schema: z.string().min(1).optional(),
    },
    expectDns: {
      flag: "--expect-dns <name>",
      description: "DNS name the server must have instead",
      schema: dnsNames,
      repeatable: true,
    },
    expectUri: {
      flag: "--expect-uri <uri>",
      description: "URI name (SPIFFE ID) the server must have instead",
      schema: uriNames,
      repeatable: true,
    },
    preserveHost: {
      flag: "--preserve-host",
      description: "send the Host field of the application, instead of the target's",
      schema: z.boolean(),
      default: false,
    },
    insecurePlaintextListen: {
      flag: "--insecure-plaintext-listen",
      description: "take plain text from other machines, too, and speak for them",
      schema: z.boolean(),
      default: false,
    },
    ...limitOptions,
  },
  async run(config, context) {
    const listen = parseListenAddress(config.listen);
    const target = parseClientTarget(config.target);
    requireLocal(listen, config.insecurePlaintextListen);
    const expected = expectation(config.expectDns, config.expectUri);
    const options = {
      listen,
      target,
      ...(config.serverName === undefined ? {} : { serverName: config.serverName }),
      ...(expected ? { authorizeServer: expected } : {}),
      preserveHost: config.preserveHost,
      allowRemote: config.insecurePlaintextListen,
      limits: limitsOf(config),
      logger: context.logger,
    };
    await runProxy(context, config, (source, hooks) => startProxyClient({ ...options, source, ...hooks }), {
      target: target.name,
    });
  },
});

function expectation(dns: readonly string[], uris: readonly string[]): Authorizer | undefined {
  const expected = [
    ...(dns.length > 0 ? [allow.dns(...dns)] : []),
    ...(uris.length > 0 ? [allow.uri(...uris)] : []),
  ];
  return expected.length > 0 ? allow.oneOf(...expected) : undefined;
}

/** `newleaf proxy server` and `newleaf proxy client`. */
export const proxyCommand: CommandGroup = defineCommandGroup({
  name: "proxy",
  summary: "mTLS with rotating certificates for services and clients that have none",
  commands: [serverCommand, clientCommand],
});
