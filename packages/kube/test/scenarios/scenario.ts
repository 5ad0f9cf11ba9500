import {
  type Answer,
  type KubeClient,
  type KubeObject,
  type ResourceClient,
  type ResourceType,
  resources,
  type StatusFailure,
  valueOrThrow,
  type WatchEvent,
  type WatchStream,
} from "@newleaf/kube";

/** An API server to run scenarios against: a real one, or one that claims to be like it. */
export interface ScenarioServer {
  /** May do everything. */
  readonly admin: KubeClient;
  /** `alice` of the group `dev`, who may do nothing. */
  readonly alice: KubeClient;
  /** Whoever a bearer token says. */
  withToken(token: string): KubeClient;
  /** A restart with all history forgotten: connections are lost, and only what is there now is known. */
  forgetHistory(): Promise<void>;
}

export interface ScenarioContext extends ScenarioServer {
  /** Of this scenario alone. */
  readonly namespace: string;
  /** A resource in that namespace, as the administrator sees it. */
  of<T extends KubeObject>(type: ResourceType<T>): ResourceClient<T>;
}

/** A behaviour of the API, by name. It is true of every API server, or the server is wrong. */
export interface Scenario {
  readonly name: string;
  /** Where it may take long against a real server. */
  readonly timeoutMs?: number;
  run(context: ScenarioContext): Promise<void>;
}

/** Runs one in a namespace of its own. */
export async function runScenario(scenario: Scenario, server: ScenarioServer): Promise<void> {
  const namespaces = server.admin.resource(resources.namespaces);
  const created = ok(await namespaces.create({ metadata: { generateName: "scenario-" } }));
  const namespace = created.metadata?.name ?? "";
  await scenario.run({ ...server, namespace, of: (type) => server.admin.resource(type, { namespace }) });
}

/** Every wait of a scenario ends by then. */
export function deadline(ms = 20_000): AbortSignal {
  return AbortSignal.timeout(ms);
}

export function ok<T>(answer: Answer<T>): T {
  return valueOrThrow(answer, "unexpected");
}

export function refusal(answer: Answer<unknown>): StatusFailure {
  if (!answer.ok) return answer.status;
  throw new Error(`not refused: ${JSON.stringify(answer.value)}`);
}

export function versionOf(object: KubeObject): string {
  return object.metadata?.resourceVersion ?? "";
}

/** The next events of a watch. */
export async function take<T extends KubeObject>(
  stream: WatchStream<T>,
  count: number,
): Promise<WatchEvent<T>[]> {
  const events: WatchEvent<T>[] = [];
  while (events.length < count) {
    const { done, value } = await stream.next();
    if (done) throw new Error(`the watch ended after ${events.length} of ${count} events`);
    events.push(value);
  }
  return events;
}

/** `ADDED name`, for a look at what came. */
export function summary<T extends KubeObject>(events: readonly WatchEvent<T>[]): string[] {
  return events.map((event) =>
    "object" in event ? `${event.type} ${event.object.metadata?.name}` : event.type,
  );
}

/** Asks until it is so; rejects at the deadline. */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    // Lets timers run, where an answer takes no time at all.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
