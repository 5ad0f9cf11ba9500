export type { Clock, Timer } from "./clock.ts";
export { systemClock } from "./clock.ts";
export { RotationError, type RotationErrorCode } from "./error.ts";
export { type WatchFilesLocation, type WatchFilesOptions, watchFiles } from "./file-source.ts";
export { checkMaterial, type GateOptions, type GatePass, type GateRefusal, type GateResult } from "./gate.ts";
export type { CheckedIdentity, Generation } from "./generation.ts";
export {
  createIdentityHolder,
  type HolderOptions,
  type IdentityHolder,
  type OfferResult,
} from "./identity-holder.ts";
export type { IdentitySource, Refusal, RefusalCode, SourceStatus } from "./identity-source.ts";
export type { IdentityMaterial, MaterialNames } from "./internal/parse-material.ts";
export type { Logger } from "./logger.ts";
export { secureContextOptions } from "./secure-context.ts";
