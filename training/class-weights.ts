import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { Failure } from '../plan/failures.ts';

/** By class in the order of the labels, by the labels' names, or from the rows. */
export type ClassWeightChoice =
  'balanced' | readonly number[] | { readonly [label: string]: number };

/**
 * Factors of the classes in the loss. `balanced` gives rows / (classes · rows of the class).
 * Source: scikit-learn, utils.class_weight.compute_class_weight.
 *
 * @param labels names of the classes; null when the dataset has none
 * @returns one a class
 * @throws InvalidInput when a class has none, or no rows to count, or a name is no label
 */
export function classWeights(
  choice: ClassWeightChoice,
  labels: readonly string[] | null,
  rows: TokenizedRows,
): readonly number[] {
  if (labels === null || rows.labels === null) {
    throw invalid(
      'class_weights needs rows of one class each, and those of train_dataset have none or several; remove it',
    );
  }
  if (choice === 'balanced') return balanced(labels, rows);
  if (isList(choice)) {
    if (choice.length === labels.length) return choice;
    throw invalid(
      `class_weights has ${choice.length} weights, and the dataset ${labels.length} labels ` +
        `(${labels.join(', ')}); give one a label, in this order`,
    );
  }
  const unknown = Object.keys(choice).find((name) => !labels.includes(name));
  const missing = labels.find((name) => choice[name] === undefined);
  if (unknown === undefined && missing === undefined)
    return labels.map((name) => choice[name] ?? 0);
  const what =
    unknown === undefined
      ? `no weight for the label ${JSON.stringify(missing)}`
      : `a weight for ${JSON.stringify(unknown)}, which is no label`;
  throw invalid(`class_weights has ${what}; give one for each of ${labels.join(', ')}`);
}

function isList(choice: ClassWeightChoice): choice is readonly number[] {
  return Array.isArray(choice);
}

function balanced(labels: readonly string[], rows: TokenizedRows): readonly number[] {
  const counts = labels.map(() => 0);
  for (const label of rows.labels ?? []) counts[label] = (counts[label] ?? 0) + 1;
  const empty = labels.find((_, label) => counts[label] === 0);
  if (empty !== undefined) {
    throw invalid(
      `class_weights is balanced, and no row of train_dataset has the label ` +
        `${JSON.stringify(empty)}; take rows of every label, or give the weights`,
    );
  }
  return counts.map((count) => rows.ids.length / (labels.length * count));
}

function invalid(message: string): Failure {
  return new Failure('InvalidInput', message);
}
