#!/usr/bin/env node
import process from "node:process";
import { runCli } from "./run-cli.ts";

const code = await runCli({
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  process,
});
// What a command left behind must not keep a finished program alive; what it wrote must still get out.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
