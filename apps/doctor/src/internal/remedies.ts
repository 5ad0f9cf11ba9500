import type { Facts, TargetFacts } from "../facts.ts";

/** What has the server read its files again, without a restart. */
export function reloadCommand(target: TargetFacts, { postgres }: Facts): string {
  if (target.protocol !== "postgres") return "kill -HUP PID_OF_THE_SERVER";
  if (postgres?.dataDirectory !== undefined) return `pg_ctl reload -D ${shellWord(postgres.dataDirectory)}`;
  return `psql ${shellWord(target.name.replace(/ \(.*\)$/, ""))} -c 'select pg_reload_conf()'`;
}

export const CLOSED_LOOP =
  "So that it does not come back, let `newleaf helper` deliver the files: it reloads the server and then looks at what is served.";

/** One word for a shell, as it is when it needs no quotes. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
