import { Failure } from '../plan/failures.ts';
import { didYouMean, quotedList } from './wording.ts';

const SPLIT_NAME = /^\w+(\.\w+)*$/;

/**
 * The name itself, if it may name a split (Hugging Face's rule): it becomes a file's name.
 * @throws InvalidInput
 */
export function checkSplitName(name: string): string {
  if (SPLIT_NAME.test(name)) return name;
  throw new Failure(
    'InvalidInput',
    `"${name}" cannot name a split: expected letters, digits and _, such as train`,
  );
}

/**
 * The split that a person named, or the only one there is.
 * @throws InvalidInput
 */
export function chooseSplit(splits: readonly string[], wanted: string | undefined): string {
  if (wanted !== undefined) {
    if (splits.includes(wanted)) return wanted;
    throw new Failure(
      'InvalidInput',
      `the dataset has no split "${wanted}", only ${quotedList(splits)}${didYouMean(wanted, splits)}`,
    );
  }
  const [only, ...others] = splits;
  if (only !== undefined && others.length === 0) return only;
  throw new Failure(
    'InvalidInput',
    `the dataset has the splits ${quotedList(splits)}, and none was chosen: add split: ${splits[0]}`,
  );
}
