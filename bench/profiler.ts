/** Something that watches where a Node process spends its time; its figures are in samples. */
export interface Profiler {
  readonly nodeArgs: readonly string[];
  /** Called once the server is warm; the function returned, once the load is over. */
  watch(pid: number): Promise<() => Promise<void>>;
  /** After the server has ended: how many samples fell where. */
  read(): Promise<ReadonlyMap<string, number>>;
}

/** It cannot be used on this machine; the message says why. */
export class ProfilerAbsent extends Error {}
