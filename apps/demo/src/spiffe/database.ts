import type { IdentitySource, Rotation } from "@newleaf/rotation";
import type { Child } from "./child.ts";

/** A database that is made and does not run yet. */
export interface PreparedDatabase {
  /** `uid:gid` that its files must belong to, where that is another user than ours. */
  readonly owner: string | undefined;
  /** Reads `svid.pem`, `svid_key.pem` and `svid_bundle.pem` of this folder now, and at SIGHUP. */
  start(certificates: string): Promise<Database>;
}

export interface Database extends AsyncDisposable {
  readonly child: Child;
  /** For handshakes. */
  readonly target: string;
  /** Of PostgreSQL. */
  readonly dataDirectory?: string;
  /** The `reload` block for the helper: a signal, and a handshake that shows whether it has helped. */
  readonly reload: string;
  /** `each`: a new session for every query. `kept`: sessions are used again, as a pool does it. */
  connect(identity: IdentitySource, sessions: "each" | "kept"): DatabaseClient;
}

/** Queries with the identity of now, to nobody but the database. */
export interface DatabaseClient extends AsyncDisposable {
  readonly rotation: Rotation;
  query(): Promise<void>;
}

/** The names of the files, by what they are. */
export const FILES = { certificate: "svid.pem", key: "svid_key.pem", bundle: "svid_bundle.pem" } as const;
