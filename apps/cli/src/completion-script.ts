import type { Command, LeafCommand, OptionDefinition } from "@newleaf/daemon";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** A completion script for a shell: command words, options, and file names where a value is a path. */
export function completionScript(program: string, commands: readonly Command[], shell: Shell): string {
  const nodes = flatten(commands, []);
  return { bash, zsh, fish }[shell](program, nodes);
}

/** What can follow one path of command words. */
interface Node {
  readonly path: readonly string[];
  readonly words: readonly { readonly word: string; readonly summary: string }[];
  /** Options whose value is a file or directory. */
  readonly pathOptions: readonly string[];
  /** Options with another value. */
  readonly valueOptions: readonly string[];
  readonly takesFiles: boolean;
}

function flatten(commands: readonly Command[], path: readonly string[]): readonly Node[] {
  const words = commands.map(({ name, summary }) => ({ word: name, summary }));
  const own: Node = { path, words, pathOptions: [], valueOptions: [], takesFiles: false };
  return [
    own,
    ...commands.flatMap((command) => {
      const below = [...path, command.name];
      const [group, ...children] = flatten(command.commands, below);
      const node = command.kind === "group" ? group : leaf(command, below);
      return node === undefined ? children : [node, ...children];
    }),
  ];
}

function leaf(command: LeafCommand, path: readonly string[]): Node {
  const options = [...Object.values(command.options), ...Object.values(command.commonOptions)];
  const named = options.flatMap((option) =>
    flagsOf(option).map((word) => ({
      word,
      summary: option.description,
      value: /<([^>]*)>/.exec(option.flag)?.[1],
    })),
  );
  const isPath = (value: string | undefined) => value !== undefined && /file|dir|path/.test(value);
  const placeholders = Object.values(command.arguments).map(({ placeholder }) => placeholder);
  return {
    path,
    words: [
      ...command.commands.map(({ name, summary }) => ({ word: name, summary })),
      ...named,
      { word: "--help", summary: "show help" },
    ],
    pathOptions: named.filter(({ value }) => isPath(value)).map(({ word }) => word),
    valueOptions: named.filter(({ value }) => value !== undefined && !isPath(value)).map(({ word }) => word),
    takesFiles: placeholders.some((placeholder) => isPath(placeholder)),
  };
}

function flagsOf(option: OptionDefinition): readonly string[] {
  return option.flag.match(/(?<=^|[\s,])--?[a-zA-Z][\w-]*/g) ?? [];
}

function bash(program: string, nodes: readonly Node[]): string {
  const cases = nodes.map((node) => {
    const files = node.takesFiles ? " files=1" : "";
    return `    ${quote(node.path.join(" "))}) words=${quote(node.words.map(({ word }) => word).join(" "))} paths=${quote(
      node.pathOptions.join(" "),
    )} values=${quote(node.valueOptions.join(" "))}${files} ;;`;
  });
  return `# bash completion for ${program}: source <(${program} completion bash)
_${program}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path="" next word words paths values files=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in
      ${nodes
        .slice(1)
        .map((node) => quote(node.path.join(" ")))
        .join("|")}) path=$next ;;
      *) break ;;
    esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  case " $paths " in *" $prev "*) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
  case " $values " in *" $prev "*) COMPREPLY=(); return ;; esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ -n $files && $cur != -* ]]; then COMPREPLY=($(compgen -f -- "$cur")); fi
}
complete -o filenames -F _${program} ${program}
`;
}

function zsh(program: string, nodes: readonly Node[]): string {
  const cases = nodes.map((node) => {
    const words = node.words
      .map(({ word, summary }) => quote(`${word.replaceAll(":", "\\:")}:${summary}`))
      .join(" ");
    const files = node.takesFiles ? "; files=1" : "";
    return `    ${quote(node.path.join(" "))}) words_=(${words}); paths=(${node.pathOptions.join(
      " ",
    )}); values=(${node.valueOptions.join(" ")})${files} ;;`;
  });
  return `#compdef ${program}
# zsh completion for ${program}: source <(${program} completion zsh)
_${program}() {
  local path_="" next word files=""
  local -a words_ paths values
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${path_:+$path_ }$word"
    case "$next" in
      (${nodes
        .slice(1)
        .map((node) => quote(node.path.join(" ")))
        .join("|")}) path_=$next ;;
      (*) break ;;
    esac
  done
  case "$path_" in
${cases.join("\n")}
  esac
  local prev=\${words[CURRENT-1]}
  if (( \${paths[(Ie)$prev]} )); then _files; return; fi
  if (( \${values[(Ie)$prev]} )); then _message value; return; fi
  _describe -t words ${program} words_
  if [[ -n $files ]]; then _files; fi
}
compdef _${program} ${program}
`;
}

function fish(program: string, nodes: readonly Node[]): string {
  const lines = nodes.flatMap((node) => {
    const condition = `-n ${quote(`__${program}_at ${node.path.join(" ")}`)}`;
    const files = node.takesFiles ? ["-F"] : ["-f"];
    return [
      `complete -c ${program} ${condition} ${files.join(" ")}`,
      ...node.words.map(({ word, summary }) => {
        const value = node.pathOptions.includes(word)
          ? " -r -F"
          : node.valueOptions.includes(word)
            ? " -x"
            : "";
        const flag = word.startsWith("--")
          ? `-l ${word.slice(2)}`
          : word.startsWith("-")
            ? `-s ${word.slice(1)}`
            : `-f -a ${quote(word)}`;
        return `complete -c ${program} ${condition} ${flag}${value} -d ${quote(summary)}`;
      }),
    ];
  });
  const paths = nodes.slice(1).map((node) => quote(node.path.join(" ")));
  return `# fish completion for ${program}: ${program} completion fish | source
function __${program}_at
  set -l path
  for word in (commandline -opc)[2..-1]
    contains -- (string join -- " " $path $word) ${paths.join(" ")}; or break
    set -a path $word
  end
  test "$path" = "$argv"
end
${lines.join("\n")}
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
