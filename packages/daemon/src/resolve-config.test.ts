import { expect, test } from "vitest";
import { z } from "zod";
import { checkedTexts } from "./checked-texts.ts";
import { parseConfigFile } from "./config-file.ts";
import { duration } from "./duration.ts";
import { hostPort } from "./host-port.ts";
import { type ConfigSources, resolveArguments, resolveOptions } from "./resolve-config.ts";
import { wholeNumber } from "./whole-number.ts";

const options = {
  listen: { flag: "-l, --listen <host:port>", description: "where", schema: hostPort() },
  timeout: { flag: "--timeout <duration>", description: "how long", schema: duration(), default: "5s" },
  allowDns: {
    flag: "--allow-dns <name>",
    description: "who",
    schema: z.array(z.string()),
    default: [],
    repeatable: true,
  },
  tickets: { flag: "--no-tickets", description: "no resumption", schema: z.boolean(), default: true },
  mode: { flag: "--mode <mode>", description: "how", schema: z.enum(["fast", "safe"]), default: "safe" },
  target: { flag: "--target <url>", description: "whom", schema: z.url().optional() },
};
const none: ConfigSources = { flags: {}, env: {}, file: undefined, envPrefixes: ["NEWLEAF_PROXY_SERVER"] };
const yaml = (text: string) => parseConfigFile(text, "c.yaml");

test("flags beat environment beats file beats default, and the result is frozen", async () => {
  const file = await yaml("listen: :1\ntimeout: 1s\nallow-dns: one\ntickets: no\nmode: fast");
  const env = { NEWLEAF_PROXY_SERVER_LISTEN: ":2", NEWLEAF_PROXY_SERVER_TIMEOUT: "2s" };
  const resolution = resolveOptions(options, { ...none, env, file, flags: { listen: ":3" } });
  expect(resolution).toEqual({
    ok: true,
    config: {
      listen: { host: "::", port: 3 },
      timeout: 2_000,
      allowDns: ["one"],
      tickets: false,
      mode: "fast",
      target: undefined,
    },
  });
  if (resolution.ok) {
    expect(Object.isFrozen(resolution.config)).toBe(true);
    expect(Object.isFrozen(resolution.config.allowDns)).toBe(true);
  }
});

test("lists are comma-separated in the environment; an empty variable is not set", () => {
  const env = { NEWLEAF_PROXY_SERVER_ALLOW_DNS: "a.example, b.example", NEWLEAF_PROXY_SERVER_TIMEOUT: "" };
  const resolution = resolveOptions(options, { ...none, env, flags: { listen: ":1" } });
  expect(resolution).toMatchObject({ config: { allowDns: ["a.example", "b.example"], timeout: 5_000 } });
});

test("every problem names option, source and reason, and none stops at the first", async () => {
  const file = await yaml("timeout: 5");
  const env = { NEWLEAF_PROXY_SERVER_TICKETS: "perhaps" };
  const resolution = resolveOptions(options, {
    ...none,
    env,
    file,
    flags: { mode: "fsat", target: "postgres" },
  });
  expect(resolution).toEqual({
    ok: false,
    problems: [
      {
        message: "--listen is required",
        hint: "give -l, --listen <host:port> or set NEWLEAF_PROXY_SERVER_LISTEN",
      },
      { message: `--timeout (from c.yaml:1:10): "5" has no unit`, hint: expect.stringContaining("1h30m") },
      {
        message: `--tickets "perhaps" (from NEWLEAF_PROXY_SERVER_TICKETS): is not yes or no`,
        hint: "--no-tickets: no resumption",
      },
      {
        message: `--mode "fsat" (from the command line): expected one of fast, safe`,
        hint: "did you mean fast?",
      },
      { message: `--target "postgres" (from the command line): is not a URL`, hint: "--target <url>: whom" },
    ],
  });
});

test.each([
  [z.coerce.number(), "x", "is not a number"],
  [z.coerce.number().int(), "1.5", "is not a whole number"],
  [z.coerce.number().min(1), "0", "is less than 1"],
  [z.coerce.number().max(9), "10", "is more than 9"],
  [z.string().min(1), "", "is empty"],
  [z.string().min(3), "ab", "is shorter than 3 characters"],
  [z.string().max(1), "ab", "is longer than 1 characters"],
  [z.string().regex(/^a$/), "b", "is not written as expected"],
  [z.string().regex(/^a$/, "is not a"), "b", "is not a"],
  [z.union([z.literal("off"), z.coerce.number().min(1)]), "0", "is less than 1"],
  [wholeNumber({ min: 1, max: 9 }), "1e0", "is not a whole number"],
  [wholeNumber({ min: 1, max: 9 }), "", "is not a whole number"],
  [wholeNumber({ min: 1, max: 9 }), "0", "is less than 1"],
  [wholeNumber({ min: 1, max: 9 }), "10", "is more than 9"],
  [z.array(z.string().min(1)), ["a", ""], "is empty"],
])("what a schema refuses is said in our words, with the value and a hint: %#", (schema, raw, problem) => {
  const option = { flag: "--n <n>", description: "how many", schema };
  const value = Array.isArray(raw) ? raw.at(-1) : raw;
  expect(resolveOptions({ option }, { ...none, flags: { option: raw } })).toEqual({
    ok: false,
    problems: [
      {
        message: `--n ${JSON.stringify(value)} (from the command line): ${problem}`,
        hint: expect.stringMatching(/./),
      },
    ],
  });
});

test("a number within its limits", () => {
  expect(wholeNumber({ min: 0, max: 99 }).parse(" 42 ")).toBe(42);
});

test("texts that cannot be read are refused one by one, with the problem and hint of who reads them", () => {
  const read = (text: string) => {
    if (text === "*") throw new Error("no");
  };
  const schema = checkedTexts(read, { problem: "is not a name", hint: "write a name" });
  const who = { flag: "--who <name>", description: "who", schema, repeatable: true };
  expect(resolveOptions({ who }, none)).toEqual({ ok: true, config: { who: [] } });
  expect(resolveOptions({ who }, { ...none, env: { NEWLEAF_PROXY_SERVER_WHO: "a,*" } })).toEqual({
    ok: false,
    problems: [{ message: `--who "*" (from NEWLEAF_PROXY_SERVER_WHO): is not a name`, hint: "write a name" }],
  });
});

test("a password in a refused URL is not repeated", () => {
  const strict = { target: { flag: "--target <url>", description: "", schema: z.string().regex(/^https:/) } };
  const resolution = resolveOptions(strict, { ...none, flags: { target: "postgres://user:hunter2@db/x" } });
  expect(JSON.stringify(resolution)).not.toContain("hunter2");
  expect(JSON.stringify(resolution)).toContain("user:***@db");
});

test("arguments go through their schemas too", () => {
  const files = { placeholder: "<file...>", description: "what to read", schema: z.array(z.string()).min(1) };
  expect(resolveArguments({ files }, [["a", "b"]])).toEqual({ ok: true, config: { files: ["a", "b"] } });
  expect(resolveArguments({ files }, [[]])).toMatchObject({ problems: [{ message: "file is required" }] });
  const dir = { placeholder: "[dir]", description: "", schema: z.string(), default: "." };
  expect(resolveArguments({ dir }, [undefined])).toMatchObject({ config: { dir: "." } });
});
