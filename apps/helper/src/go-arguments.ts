/**
 * Reads flags as Go programs do and writes them as ours are: one dash or two, `-name value` or `-name=value`, a switch
 * without a value is true, and the first word that is no flag (or what follows `--`) begins the command to run.
 */
export function goArguments(argv: readonly string[], isSwitch: (name: string) => boolean): readonly string[] {
  const flags: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--") return [...flags, ...argv.slice(at)];
    const [, name, value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) return [...flags, "--", ...argv.slice(at)];
    const flag = name === "h" ? "--help" : `--${name}`;
    if (name === "help" || name === "h" || name === "version") flags.push(flag);
    else if (value !== undefined) flags.push(`${flag}=${value}`);
    else if (isSwitch(name)) flags.push(`${flag}=true`);
    else if (at + 1 < argv.length) {
      at += 1;
      flags.push(`${flag}=${argv[at]}`);
    } else flags.push(flag);
  }
  return flags;
}
