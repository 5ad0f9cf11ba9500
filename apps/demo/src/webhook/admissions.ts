import { setTimeout as sleep } from "node:timers/promises";
import { createKubeTransport, type KubeTransport, loadKubeconfig } from "@newleaf/kube";
import type { DemoClient } from "../external-client.ts";
import { SHOP } from "./cluster-objects.ts";
import { type Manifest, manifestAt } from "./manifests.ts";

/** How admissions came out that were as they must be. */
export interface AdmissionOutcomes {
  readonly allowed: number;
  readonly warned: number;
  readonly denied: number;
}

/** An API user who creates and updates manifests, and looks at what comes of each. */
export interface Admissions extends DemoClient {
  readonly outcomes: AdmissionOutcomes;
  /** When the webhook had answered for the first time, by the monotonic clock. */
  readonly firstServedAt: number | undefined;
  /** From now until disposed the API server has nobody to ask, so that its refusal is no failure and is counted here. */
  expectRefusals(because: RegExp): ExpectedRefusals;
}

interface ExpectedRefusals extends Disposable {
  readonly count: number;
}

const EVERY_MS = 50;
const DEADLINE_MS = 10_000;
const PATH = `/apis/apps/v1/namespaces/${SHOP}/deployments`;

export async function startAdmissions(
  kubeconfig: string,
  onDenied: (rule: string) => void,
): Promise<Admissions> {
  const transport = createKubeTransport(await loadKubeconfig({ path: kubeconfig }));
  const outcomes = { allowed: 0, warned: 0, denied: 0 };
  const stored = new Set<string>();
  const expected = new Set<Expectation>();
  /** The last of each name: what it comes to decides whether the next one creates or updates. */
  const pending = new Map<string, Promise<void>>();
  let [failures, stopped] = [0, false];
  let lastFailure: string | undefined;
  let firstServedAt: number | undefined;

  const admit = async (manifest: Manifest): Promise<void> => {
    const before = [...expected];
    const answer = await send(transport, manifest, stored.has(manifest.name));
    const problem = problemOf(manifest, answer);
    if (problem === undefined) {
      outcomes[manifest.expected] += 1;
      if (manifest.expected === "denied") onDenied(manifest.rule ?? "");
      else stored.add(manifest.name);
      firstServedAt ??= performance.now();
      return;
    }
    // Of requests that were under way at some time while it was so.
    const reason = [...before, ...expected].find(({ because }) => because.test(answer.message));
    if (reason && answer.status === 500) {
      reason.count += 1;
      return;
    }
    failures += 1;
    lastFailure = problem;
  };
  const running = (async () => {
    for (let n = 0; !stopped; n++) {
      const manifest = manifestAt(n);
      const last = pending.get(manifest.name) ?? Promise.resolve();
      pending.set(
        manifest.name,
        last.then(() => admit(manifest)),
      );
      await sleep(EVERY_MS);
    }
    await Promise.all(pending.values());
  })();

  return {
    name: "API user",
    outcomes,
    get firstServedAt() {
      return firstServedAt;
    },
    tally: () => ({
      requests: outcomes.allowed + outcomes.warned + outcomes.denied + failures,
      failures,
    }),
    lastFailure: () => lastFailure,
    expectRefusals(because) {
      const expectation: Expectation = { because, count: 0 };
      expected.add(expectation);
      return {
        get count() {
          return expectation.count;
        },
        [Symbol.dispose]: () => void expected.delete(expectation),
      };
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await running;
      await transport[Symbol.asyncDispose]();
    },
  };
}

interface Expectation {
  readonly because: RegExp;
  count: number;
}

interface Answered {
  /** Of HTTP; 0 without an answer. */
  readonly status: number;
  readonly message: string;
  readonly warnings: string;
}

async function send(
  transport: KubeTransport,
  { name, object }: Manifest,
  isStored: boolean,
): Promise<Answered> {
  try {
    const { status, headers, body } = await transport.send({
      method: isStored ? "PUT" : "POST",
      path: isStored ? `${PATH}/${name}` : PATH,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(object),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const { message = "" } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly message?: string };
    return { status, message, warnings: headers.warning ?? "" };
  } catch (error) {
    return { status: 0, message: error instanceof Error ? error.message : String(error), warnings: "" };
  }
}

/** Undefined when it came out as it must. */
function problemOf({ name, expected, rule }: Manifest, answer: Answered): string | undefined {
  const { status, message, warnings } = answer;
  const isAllowed = status === 200 || status === 201;
  const names = (text: string): boolean => rule !== undefined && text.includes(`[${rule}]`);
  const isRight = {
    allowed: isAllowed && warnings === "",
    warned: isAllowed && names(warnings),
    denied: status === 403 && names(message),
  }[expected];
  if (isRight) return undefined;
  return `${name}, to be ${expected}: ${status} ${message || warnings || "without a warning"}`;
}
