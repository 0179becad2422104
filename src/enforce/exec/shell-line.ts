/** Where a stream of a command leads: what the whole line has, the next command of a pipeline (`out`), or nowhere. */
export type Target = 'out' | 'err' | 'nowhere';

export interface SimpleCommand {
  /** Assignments in front of it. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly words: readonly [string, ...string[]];
  readonly hasNoInput: boolean;
  readonly stdout: Target;
  readonly stderr: Target;
}

export interface Pipeline {
  /** When it runs, after the one before. */
  readonly when: 'always' | 'succeeded' | 'failed';
  readonly commands: readonly SimpleCommand[];
}

export type ShellLine = readonly Pipeline[] | { readonly problem: string };

const MAX_CHARACTERS = 65_536;
const MAX_COMMANDS = 64;
const OPERATORS = ['&&', '||', ';', '|', '\n'] as const;
type Operator = (typeof OPERATORS)[number];

/** Words of the grammar, and builtins whose effect would be on the shell itself. */
const RESERVED = new Set(
  (
    '! { } [[ ]] if then else elif fi do done case esac while until for in select function time coproc ' +
    'eval exec . source command builtin export readonly set unset shift trap alias unalias read umask ulimit ' +
    'wait jobs fg bg local declare typeset let return break continue exit hash getopts pushd popd shopt enable'
  ).split(' '),
);
const REFUSED: Readonly<Record<string, string>> = {
  $: 'an expansion ($)',
  '`': 'a command substitution (`)',
  '(': 'a subshell or function',
  ')': 'a subshell or function',
  '{': 'a brace',
  '}': 'a brace',
  '*': 'a pattern (*)',
  '?': 'a pattern (?)',
  '[': 'a pattern ([)',
};

interface Word {
  readonly text: string;
  /** Length of the part that no quote or backslash touched, from its beginning. */
  readonly plain: number;
}
type Token = Word | { readonly operator: Operator } | { readonly redirect: string };

class Refused extends Error {}

/**
 * Reads a line of shell as far as it says literally which programs run with which arguments: words and quotes, assignments in
 * front of a command, `|`, `&&`, `||`, `;`, newlines, and redirections to `/dev/null` and of stderr to stdout. All of it or
 * nothing: what every shell would not read in the same way is refused, never guessed.
 */
export function parseShellLine(text: string): ShellLine {
  try {
    if (text.length > MAX_CHARACTERS || !text.isWellFormed())
      throw new Refused('the line is too long or no text');
    return pipelinesOf(tokensOf(text));
  } catch (error) {
    if (error instanceof Refused) return { problem: error.message };
    throw error;
  }
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let word: { text: string; plain: number; touched: boolean } | undefined;
  let at = 0;
  const add = (piece: string, isPlain: boolean): void => {
    word ??= { text: '', plain: 0, touched: false };
    if (!isPlain) word.touched = true;
    word.text += piece;
    if (!word.touched) word.plain = word.text.length;
  };
  const end = (): void => {
    if (word !== undefined) tokens.push({ text: word.text, plain: word.plain });
    word = undefined;
  };
  while (at < text.length) {
    const char = text.charAt(at);
    const operator = OPERATORS.find((known) => text.startsWith(known, at));
    if (char === ' ' || char === '\t') {
      end();
      at += 1;
    } else if (operator !== undefined) {
      end();
      if (text.startsWith('|&', at) || text.startsWith(';;', at))
        throw new Refused('an operator it does not know');
      tokens.push({ operator });
      at += operator.length;
    } else if (char === '&') throw new Refused('a command in the background (&)');
    else if (char === '<' || char === '>') {
      const isNumber = word !== undefined && word.plain === word.text.length && /^\d+$/.test(word.text);
      const number = isNumber ? (word?.text ?? '') : '';
      if (isNumber) word = undefined;
      end();
      const [found] =
        /^(?:>&1(?![\w./-])|>>?[ \t]*\/dev\/null(?![^\s;&|<>])|<[ \t]*\/dev\/null(?![^\s;&|<>]))/.exec(
          text.slice(at),
        ) ?? [];
      if (found === undefined) throw new Refused('a redirection other than to /dev/null and 2>&1');
      tokens.push({ redirect: `${number}${found.replace(/[ \t]/g, '').replace('>>', '>')}` });
      at += found.length;
    } else if (char === "'") {
      const close = text.indexOf("'", at + 1);
      if (close < 0) throw new Refused('a quote that is not closed');
      add(text.slice(at + 1, close), false);
      at = close + 1;
    } else if (char === '"') at = readDoubleQuoted(text, at + 1, (piece) => add(piece, false));
    else if (char === '\\') {
      if (at + 1 >= text.length) throw new Refused('a backslash at the end');
      if (text.charAt(at + 1) !== '\n') add(text.charAt(at + 1), false);
      at += 2;
    } else {
      const why = REFUSED[char] ?? findRefusedHere(char, word?.text);
      if (why !== undefined) throw new Refused(why);
      add(char, true);
      at += 1;
    }
  }
  end();
  return tokens;
}

function findRefusedHere(char: string, before: string | undefined): string | undefined {
  if (char === '#' && before === undefined) return 'a comment';
  if (char === '~' && (before === undefined || /[=:]$/.test(before))) return 'a home folder (~)';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\u0000-\u001f\u007f]/.test(char) ? 'a control character' : undefined;
}

function readDoubleQuoted(text: string, from: number, add: (piece: string) => void): number {
  add('');
  for (let at = from; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '"') return at + 1;
    if (char === '$' || char === '`') throw new Refused(REFUSED[char] ?? char);
    // Shells of people expand it, if they are interactive.
    if (char === '\0') throw new Refused('a control character');
    if (char === '\\' && '"\\$`\n'.includes(text.charAt(at + 1)) && at + 1 < text.length) {
      at += 1;
      if (text.charAt(at) !== '\n') add(text.charAt(at));
    } else add(char);
  }
  throw new Refused('a quote that is not closed');
}

function pipelinesOf(tokens: readonly Token[]): readonly Pipeline[] {
  const pipelines: Pipeline[] = [];
  let when: Pipeline['when'] = 'always';
  let commands: SimpleCommand[] = [];
  let current: Exclude<Token, { readonly operator: Operator }>[] = [];
  let count = 0;
  const endCommand = (): void => {
    commands.push(commandOf(current));
    current = [];
    count += 1;
    if (count > MAX_COMMANDS) throw new Refused('too many commands');
  };
  let isOpen = false;
  for (const token of tokens) {
    if (!('operator' in token)) {
      current.push(token);
      isOpen = false;
      continue;
    }
    const { operator } = token;
    // A newline may follow an operator, or stand by itself.
    if (operator === '\n' && current.length === 0) continue;
    endCommand();
    isOpen = operator !== ';' && operator !== '\n';
    if (operator === '|') continue;
    pipelines.push({ when, commands });
    commands = [];
    when = operator === '&&' ? 'succeeded' : operator === '||' ? 'failed' : 'always';
  }
  if (current.length > 0) {
    endCommand();
    pipelines.push({ when, commands });
  } else if (isOpen) throw new Refused('an operator without a command after it');
  return pipelines;
}

function commandOf(tokens: readonly (Word | { readonly redirect: string })[]): SimpleCommand {
  const environment: [string, string][] = [];
  const words: string[] = [];
  let hasNoInput = false;
  let stdout: Target = 'out';
  let stderr: Target = 'err';
  for (const token of tokens) {
    if ('redirect' in token) {
      const { redirect } = token;
      if (redirect === '2>&1') stderr = stdout;
      else if (redirect === '2>/dev/null') stderr = 'nowhere';
      else if (redirect === '>/dev/null' || redirect === '1>/dev/null') stdout = 'nowhere';
      else if (redirect === '</dev/null' || redirect === '0</dev/null') hasNoInput = true;
      else throw new Refused('a redirection other than to /dev/null and 2>&1');
      continue;
    }
    const { text, plain } = token;
    const [assigned, name] = /^([A-Za-z_][A-Za-z0-9_]*)=/.exec(text) ?? [];
    if (words.length === 0 && assigned !== undefined && name !== undefined && plain >= assigned.length) {
      environment.push([name, text.slice(assigned.length)]);
    } else {
      if (words.length === 0 && plain === text.length && RESERVED.has(text)) {
        throw new Refused(`what it has no programs for (${text})`);
      }
      words.push(text);
    }
  }
  const [first, ...rest] = words;
  if (first === undefined || first === '') throw new Refused('a command without a name');
  return { environment, words: [first, ...rest], hasNoInput, stdout, stderr };
}
