/** `completion`: what the shell needs to complete commands, options and their choices, made from the program itself. */

import { Argument, type Command, type Option } from 'commander';
import type { Output } from './output.ts';

const SHELLS = { bash, zsh, fish };
type Shell = keyof typeof SHELLS;

/** What can follow on the command line. */
interface Grammar {
  readonly commands: readonly {
    readonly name: string;
    readonly description: string;
    /** Commands of a group: `key words`. */
    readonly subcommands: readonly string[];
    readonly options: readonly Option[];
  }[];
  readonly globals: readonly Option[];
}

export function addCompletion(program: Command, output: Output): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(Object.keys(SHELLS)))
    .description('print what makes the shell complete commands and options')
    .addHelpText(
      'after',
      `
To have it in every shell:
  bash  nostr-sync completion bash > ~/.local/share/bash-completion/completions/nostr-sync
  zsh   nostr-sync completion zsh > a file named _nostr-sync in a folder of $fpath
  fish  nostr-sync completion fish > ~/.config/fish/completions/nostr-sync.fish`,
    )
    .action((shell: Shell) => {
      const script = SHELLS[shell](grammarOf(program));
      output.result({ shell, script }, script);
    });
}

function grammarOf(program: Command): Grammar {
  return {
    commands: program.commands.map((command) => ({
      name: command.name(),
      description: command.description(),
      subcommands: command.commands.map((one) => one.name()),
      options: [command, ...command.commands].flatMap(({ options }) => options),
    })),
    globals: program.options,
  };
}

const words = (options: readonly Option[]): string =>
  [...options.map(({ long }) => long), '--help'].join(' ');

/** The branches of a `case` over the command, or over the option that stands before the cursor. */
function branches(
  cases: readonly (readonly [pattern: string, words: string])[],
  offer: (words: string) => string,
): string {
  return cases.map(([pattern, list]) => `    ${pattern}) ${offer(list)} ;;`).join('\n');
}

function choicesOf({ commands, globals }: Grammar): (readonly [string, string])[] {
  const options = [...globals, ...commands.flatMap((command) => command.options)];
  return options.flatMap(({ long, argChoices }) =>
    long === undefined || long === null || argChoices === undefined
      ? []
      : [[long, argChoices.join(' ')] as const],
  );
}

function commandsOf({ commands, globals }: Grammar): (readonly [string, string])[] {
  return commands.map(
    ({ name, subcommands, options }) =>
      [name, [...subcommands, words([...options, ...globals])].join(' ')] as const,
  );
}

function bash(grammar: Grammar): string {
  const offer = (list: string): string => `COMPREPLY=($(compgen -W "${list}" -- "$current"))`;
  const names = grammar.commands.map(({ name }) => name);
  return `_nostr_sync() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in ${names.join('|')}) command=$word; break ;; esac
  done
  case $previous in
${branches(choicesOf(grammar), (list) => `${offer(list)}; return`)}
  esac
  case $command in
    '') ${offer(`${names.join(' ')} ${words(grammar.globals)}`)} ;;
${branches(commandsOf(grammar), offer)}
  esac
}
complete -o default -F _nostr_sync nostr-sync`;
}

function zsh(grammar: Grammar): string {
  const offer = (list: string): string => `compadd -- ${list}; _files`;
  const names = grammar.commands.map(({ name }) => name);
  return `#compdef nostr-sync
_nostr_sync() {
  local command='' word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case $word in ${names.join('|')}) command=$word; break ;; esac
  done
  case \${words[CURRENT-1]} in
${branches(choicesOf(grammar), (list) => `compadd -- ${list}; return`)}
  esac
  case $command in
    '') compadd -- ${names.join(' ')} ${words(grammar.globals)} ;;
${branches(commandsOf(grammar), offer)}
  esac
}
compdef _nostr_sync nostr-sync`;
}

function fish({ commands, globals }: Grammar): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const option = ({ long, description, argChoices, required }: Option): string =>
    [
      `-l ${long?.slice(2)}`,
      ...(argChoices === undefined ? [] : [`-x -a ${quoted(argChoices.join(' '))}`]),
      ...(argChoices === undefined && required ? ['-r'] : []),
      `-d ${quoted(description)}`,
    ].join(' ');
  return [
    ...globals.map((one) => `complete -c nostr-sync ${option(one)}`),
    ...commands.flatMap(({ name, description, subcommands, options }) => [
      `complete -c nostr-sync -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
      ...subcommands.map(
        (one) => `complete -c nostr-sync -f -n '__fish_seen_subcommand_from ${name}' -a ${one}`,
      ),
      ...options.map(
        (one) => `complete -c nostr-sync -n '__fish_seen_subcommand_from ${name}' ${option(one)}`,
      ),
    ]),
  ].join('\n');
}
