import { access } from "./access.ts";
import { deleting } from "./deleting.ts";
import { informing } from "./informing.ts";
import { listing } from "./listing.ts";
import { living } from "./living.ts";
import { applying, patching } from "./patching.ts";
import { reading } from "./reading.ts";
import { scaling } from "./scaling.ts";
import type { Scenario } from "./scenario.ts";
import { selecting } from "./selecting.ts";
import { watching } from "./watching.ts";
import { creating, updating } from "./writing.ts";

export { runScenario, type Scenario, type ScenarioServer } from "./scenario.ts";

/** What an API server does, as far as this project relies on it: run against the real one and against ours. */
export const scenarios: readonly Scenario[] = [
  ...reading, ...creating, ...updating, ...patching, ...applying, ...deleting, ...listing, ...watching, ...access,
  ...scaling, ...living, ...informing, ...selecting,
]; // biome-ignore format: names alone
