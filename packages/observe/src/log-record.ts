import type { Logger } from "@newleaf/daemon";
import type { RotationRecord, Stage } from "@newleaf/rotation";

/** One line for a record: info what ended well, a warning what has stalled; of what was refused its source has warned. */
export function logRecord(logger: Logger, record: RotationRecord): void {
  const { generation, identity, serialNumber, sha256, outcome, reason, stillServed, consumers } = record;
  const failed = consumers.flatMap(({ name, error }) => (error === undefined ? [] : [{ name, error }]));
  const fields = {
    generation,
    identity,
    serialNumber,
    sha256,
    notAfter: record.notAfter.toISOString(),
    afterMs: stageTimes(record),
    ...(reason === undefined ? {} : { code: reason.code, reason: reason.message }),
    ...(stillServed === undefined ? {} : { stillServed }),
    ...(failed.length === 0 ? {} : { failed }),
  };
  if (outcome === "stalled") logger.warn(fields, "rotation stalled");
  else if (outcome === "refused") logger.debug(fields, "rotation refused");
  else logger.info(fields, `rotation ${outcome}`);
}

/** Milliseconds from the delivery to each stage reached. */
export function stageTimes(record: RotationRecord): Readonly<Partial<Record<Stage, number>>> {
  const { delivered } = record.stages;
  if (delivered === undefined) return {};
  const times = Object.entries(record.stages).map(([stage, at]) => [
    stage,
    at.getTime() - delivered.getTime(),
  ]);
  return Object.fromEntries(times);
}
