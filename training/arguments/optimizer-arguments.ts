/** What optim_args can say; of torch.optim.SGD. */
export interface SgdArguments {
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
}

const NAMES = ['momentum', 'dampening', 'nesterov'] as const;
const TRUE_WORDS = ['true', '1', 'yes'];
const FALSE_WORDS = ['false', '0', 'no'];

/**
 * Reads optim_args for sgd: `momentum=0.9,nesterov=true`.
 * Source: transformers 5.23, trainer_optimizer.py, _parse_optim_args and _get_sgd.
 *
 * @returns a text that says what is wrong, with the remedy, when it cannot be read
 */
export function readSgdArguments(text = ''): SgdArguments | string {
  const found = { momentum: 0, dampening: 0, nesterov: false };
  for (const part of text.replaceAll(' ', '').split(',')) {
    if (part === '') continue;
    const [name = '', value = ''] = part.split('=');
    if (name === 'weight_decay') return 'weight_decay is an argument of its own: set it there';
    if (name === 'nesterov') {
      const word = value.toLowerCase();
      if (![...TRUE_WORDS, ...FALSE_WORDS].includes(word)) return `${part}: expected true or false`;
      found.nesterov = TRUE_WORDS.includes(word);
    } else if (name === 'momentum' || name === 'dampening') {
      const number = Number(value);
      const isInRange = value !== '' && number >= 0 && number < Infinity;
      if (!isInRange) return `${part}: expected a number of at least 0`;
      found[name] = number;
    } else return `unknown ${JSON.stringify(name)}; expected ${NAMES.join('=..., ')}=...`;
  }
  if (found.nesterov && (found.momentum === 0 || found.dampening !== 0)) {
    return 'nesterov needs a momentum above 0, and no dampening';
  }
  return found;
}
