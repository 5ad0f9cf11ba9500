/** A file to be: its content and the mode it gets, whatever the umask. */
export interface OutputFile {
  readonly content: string | Uint8Array;
  readonly mode: number;
}

/**
 * Files that belong together, by name relative to their directory. The order is that in which names come into being
 * or are replaced where that cannot be at once: what others depend on first, so bundles, then keys, then certificates.
 */
export type FileSet = ReadonlyMap<string, OutputFile>;
