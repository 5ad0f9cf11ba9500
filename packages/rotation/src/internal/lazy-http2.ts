/** node:http2, loaded on first use: it is a good part of what importing this package costs, and few programs speak it. */
export function http2(): typeof import("node:http2") {
  return process.getBuiltinModule("node:http2");
}
