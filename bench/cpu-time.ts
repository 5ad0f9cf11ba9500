import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ, in which /proc shows times: 100 on every Linux that Node runs on. */
const TICK_MS = 10;

/** User and system time of all processes in a group so far; see proc_pid_stat(5). */
export function groupCpuMs(group: number): number {
  let ticks = 0;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = statFields(entry);
    if (Number(fields[2]) === group) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_MS;
}

/** From the third field on: the second, the program's name, may hold anything. Empty when it has ended. */
function statFields(pid: string): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/** Resident memory of one process. */
export function residentMb(pid: number): number {
  return statusMb(pid, "VmRSS");
}

/** The most that it has been. */
export function peakMb(pid: number): number {
  return statusMb(pid, "VmHWM");
}

function statusMb(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
}
