import type { Logger } from "@newleaf/daemon";
import type { RotationRecord, Stage } from "@newleaf/rotation";

/** One line for a record: what ended well is info, what was refused or has stalled is a warning. */
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
  if (outcome === "refused" || outcome === "stalled") logger.warn(fields, `rotation ${outcome}`);
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
