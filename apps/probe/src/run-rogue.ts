import type { CommandContext, ExitCode } from "@newleaf/daemon";
import { watchCertificates } from "./identity-options.ts";
import { loadAuthority, loadCredentials } from "./load-means.ts";
import { renderRogue } from "./render-rogue.ts";
import { tryRogue } from "./rogue.ts";
import type { ProbeTarget } from "./target-url.ts";

export interface RogueConfig {
  readonly certs: string | undefined;
  readonly ca: string | undefined;
  readonly revoked: string | undefined;
  readonly timeout: number;
  readonly json: boolean;
}

/** Tries the refusal matrix once and prints it; 1 if anything was let in. */
export async function runRogue(
  target: ProbeTarget,
  config: RogueConfig,
  context: CommandContext,
): Promise<ExitCode> {
  const { signal, logger, stdout, style } = context;
  const authority = config.ca === undefined ? undefined : await loadAuthority(config.ca);
  const revoked = config.revoked === undefined ? undefined : await loadCredentials(config.revoked);
  const source =
    config.certs === undefined ? undefined : await watchCertificates(config.certs, { signal, logger });
  try {
    const report = await tryRogue({
      target,
      timeoutMs: config.timeout,
      signal,
      ...(source ? { own: source.current() } : {}),
      ...(authority ? { authority } : {}),
      ...(revoked ? { revoked } : {}),
      onResult: ({ row, verdict, seen }) => logger.debug({ row, verdict, seen }, "tried"),
    });
    stdout.write(`${config.json ? JSON.stringify(report) : renderRogue(report, style)}\n`);
    return report.ok ? 0 : 1;
  } finally {
    await source?.[Symbol.asyncDispose]();
  }
}
