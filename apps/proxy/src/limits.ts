import { duration, wholeNumber } from "@newleaf/daemon";
import type { ForwardTimeouts } from "./forward-http.ts";
import type { OptionsOf } from "./options-of.ts";

/** What keeps one client, or a target that hangs, from using up the process. */
export interface ProxyLimits {
  readonly maxConnections: number;
  /** Octets of all header fields of one request. */
  readonly maxHeaderSize: number;
  readonly timeouts: ForwardTimeouts;
}

/** What a socket's timer can hold. */
const LONGEST = "24d";

/** Flags of the limits; both directions have them. */
export const limitOptions: OptionsOf<LimitConfig> = {
  maxConnections: {
    flag: "--max-connections <n>",
    description: "connections at the same time; more are closed at once",
    schema: wholeNumber({ min: 1, max: 1_000_000 }),
    default: "10000",
  },
  maxHeaderSize: {
    flag: "--max-header-size <octets>",
    description: "of all header fields of one request; more is answered with 431",
    schema: wholeNumber({ min: 1_024, max: 1_048_576 }),
    default: "16384",
  },
  connectTimeout: {
    flag: "--connect-timeout <duration>",
    description: "until the target is connected",
    schema: duration({ min: "1ms", max: "1h" }),
    default: "5s",
  },
  responseTimeout: {
    flag: "--response-timeout <duration>",
    description: "without progress until the target answers (then 504)",
    schema: duration({ min: "1ms", max: LONGEST }),
    default: "60s",
  },
  idleTimeout: {
    flag: "--idle-timeout <duration>",
    description: "without progress in the body of a response",
    schema: duration({ min: "1ms", max: LONGEST }),
    default: "10m",
  },
  tunnelTimeout: {
    flag: "--tunnel-timeout <duration>",
    description: "without an octet either way in an upgraded connection, or in bytes",
    schema: duration({ min: "1ms", max: LONGEST }),
    default: "1h",
  },
};

export interface LimitConfig {
  readonly maxConnections: number;
  readonly maxHeaderSize: number;
  readonly connectTimeout: number;
  readonly responseTimeout: number;
  readonly idleTimeout: number;
  readonly tunnelTimeout: number;
}

export function limitsOf(config: LimitConfig): ProxyLimits {
  const { maxConnections, maxHeaderSize } = config;
  return {
    maxConnections,
    maxHeaderSize,
    timeouts: {
      connectMs: config.connectTimeout,
      responseMs: config.responseTimeout,
      idleMs: config.idleTimeout,
      tunnelMs: config.tunnelTimeout,
    },
  };
}

/** Time a client has to send the header fields of a request. */
export const HEADERS_TIMEOUT_MS = 15_000;
/** Longer than what common clients keep an idle connection for, so that they and not we close it. */
export const KEEP_ALIVE_TIMEOUT_MS = 75_000;
