import type { CommandEntry } from "@newleaf/daemon/program";

const summary = "a completion script for bash, zsh or fish";

/** `newleaf completion <shell>`, itself included; it loads every command, so it too is loaded only when it runs. */
export function completionEntry(others: readonly CommandEntry[]): CommandEntry {
  const completion: CommandEntry = {
    name: "completion",
    summary,
    async load() {
      const { defineCommand, z } = await import("@newleaf/daemon");
      const { completionScript, shells } = await import("./completion-script.ts");
      return defineCommand({
        name: "completion",
        summary,
        description: "Writes a completion script to stdout; source it from your shell's start file.",
        examples: [
          { command: "source <(newleaf completion bash)", note: "bash, in ~/.bashrc" },
          { command: "newleaf completion fish | source", note: "fish, in ~/.config/fish/config.fish" },
        ],
        arguments: {
          shell: { placeholder: "<shell>", description: shells.join(", "), schema: z.enum(shells) },
        },
        async run({ shell }, { stdout }) {
          const commands = await Promise.all([...others, completion].map((entry) => entry.load()));
          stdout.write(completionScript("newleaf", commands, shell));
        },
      });
    },
  };
  return completion;
}
