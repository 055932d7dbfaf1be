/** Completion in the shell, from the declarations of the commands. */
import type { Command } from './define-command.js';
import { membersOf, nameIn, optionName, optionsOf, tokenise } from './tokens.js';

/** The scripts ask do-deploy itself, so they know each new command and environment. */
const SCRIPTS = {
  bash: `_do_deploy() {
  local IFS=$'\\n'
  COMPREPLY=($(do-deploy completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _do_deploy do-deploy`,

  zsh: `#compdef do-deploy
_do_deploy() {
  local -a found
  found=(\${(f)"$(do-deploy completion zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( $#found )); then compadd -a found; else _files; fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _do_deploy "$@"; else compdef _do_deploy do-deploy; fi`,

  fish: `function __do_deploy_complete
  set -l words (commandline -opc) (commandline -ct)
  do-deploy completion fish -- $words[2..] 2>/dev/null
end
complete -c do-deploy -f -a '(__do_deploy_complete)'`,
};

export function completionScript(shell: keyof typeof SCRIPTS): string[] {
  return SCRIPTS[shell].split('\n');
}

/**
 * What the last of the words may become. None: a file, or a value that is not known here.
 * @param environments of the project in the current folder
 */
export function complete(
  commands: readonly Command[],
  words: readonly string[],
  environments: readonly string[],
): string[] {
  const last = words.at(-1) ?? '';
  return candidates(commands, words.slice(0, -1), last, environments).filter((one) => one.startsWith(last));
}

function candidates(
  commands: readonly Command[],
  before: readonly string[],
  last: string,
  environments: readonly string[],
): readonly string[] {
  const names = commands.map(({ name }) => name);
  const { words, lacksValue } = tokenise(before, optionsOf(...commands));
  const name = nameIn(words, names);
  const command = commands.find((one) => one.name === (name ?? names[0]));
  if (command === undefined || before.includes('--')) return [];
  const options = optionsOf(command);
  if (lacksValue !== undefined) {
    return Object.entries(options).find(([key]) => optionName(key) === lacksValue)?.[1].choices ?? [];
  }
  if (last.startsWith('-')) return Object.keys(options).map((key) => `--${optionName(key)}`);

  const [first, ...others] = words;
  if (first === undefined) return [...new Set(names.map((one) => one.split(' ')[0] ?? '')), ...environments];
  const members = name === undefined && others.length === 0 ? membersOf(first, names) : [];
  if (members.length > 0) return members.map((member) => member.slice(first.length + 1));
  const operands = name === undefined ? words : words.slice(name.split(' ').length);
  const [key, positional] = Object.entries(command.positionals)[operands.length] ?? [];
  return key === 'environment' ? environments : (positional?.choices ?? []);
}
