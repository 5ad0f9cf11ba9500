/**
 * The certificates of connections to the API server, as PEM. `digest` tells one state from another: connections are
 * made anew when it has changed.
 */
export interface TlsMaterial {
  /** Whom to trust, and nobody else; the system's roots without it. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly digest: string;
}

/** Where the material comes from when not from the configuration: asked before each request, so it must be quick. */
export interface TlsMaterialSource {
  current(): TlsMaterial;
}
