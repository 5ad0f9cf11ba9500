/** The three files that PostgreSQL reads for TLS, as its settings name them; paths may be relative to the data directory. */
export interface PostgresTlsSettings {
  readonly ssl_cert_file: string;
  readonly ssl_key_file: string;
  readonly ssl_ca_file: string;
}

/** Settings in one configuration file; the last of several counts. Lines as in "Parameter Interaction via the Configuration File". */
export function parsePostgresConf(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, quoted, plain] =
      /^\s*([A-Za-z_][\w.]*)\s*(?:=\s*|\s)\s*(?:'((?:[^'\\]|''|\\.)*)'|([^\s#']+))/.exec(line) ?? [];
    if (name === undefined) continue;
    settings.set(name.toLowerCase(), quoted?.replaceAll("''", "'").replaceAll(/\\(.)/g, "$1") ?? plain ?? "");
  }
  return settings;
}

/** The `-c name=value`, `--name=value` and `-D` options in postmaster.opts, which are above every file. */
export function parsePostmasterOpts(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  const words = [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) => word);
  for (const [index, word] of words.entries()) {
    const option = word === "-c" ? words[index + 1] : /^(?:-c|--)(.+=.*)$/s.exec(word)?.[1];
    const [, name, value] = /^([\w.-]+)=(.*)$/s.exec(option ?? "") ?? [];
    if (name !== undefined && value !== undefined)
      settings.set(name.replaceAll("-", "_").toLowerCase(), value);
  }
  return settings;
}

/** What holds of several sources, highest first, with PostgreSQL's defaults below them. */
export function tlsSettings(sources: readonly ReadonlyMap<string, string>[]): PostgresTlsSettings {
  const setting = (name: string, byDefault: string): string =>
    sources.map((source) => source.get(name)).find((value) => value !== undefined) ?? byDefault;
  return {
    ssl_cert_file: setting("ssl_cert_file", "server.crt"),
    ssl_key_file: setting("ssl_key_file", "server.key"),
    ssl_ca_file: setting("ssl_ca_file", ""),
  };
}
