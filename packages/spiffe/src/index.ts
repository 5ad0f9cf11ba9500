export { SpiffeError, type SpiffeErrorCode } from "./error.ts";
