import { z } from 'zod';
import { type ConfigJson, count, invalid, parseConfig } from './config-schema.ts';
import { PROBLEM_TYPES, type ProblemType } from './problem-types.ts';

const schema = z.object({
  id2label: z.record(z.string(), z.string()).optional(),
  num_labels: count.optional(),
  problem_type: z.enum(PROBLEM_TYPES).nullish(),
});

/** What a classification head predicts, as config.json says. */
export interface LabelConfig {
  /** Classes, or targets of a regression. */
  readonly labels: number;
  readonly problemType: ProblemType;
}

export interface LabelDefaults {
  /** To use in place of the config's own. */
  readonly problemType?: ProblemType | undefined;
  /** For a config that tells no labels. */
  readonly labels?: number | undefined;
}

/**
 * Reads the labels of a parsed config.json: `id2label`, or else `num_labels`, or else those of the
 * defaults, or else 2 as Hugging Face has it. Without a problem type one label is a regression,
 * more are classes.
 *
 * @throws InvalidInput for fields that say nothing, or one class to tell apart
 */
export function parseLabelConfig(json: ConfigJson, defaults: LabelDefaults): LabelConfig {
  const fields = parseConfig({ schema, otherNames: {}, title: '' }, json);
  const { id2label, num_labels, problem_type } = fields;
  const labels =
    id2label === undefined ? (num_labels ?? defaults.labels ?? 2) : Object.keys(id2label).length;
  const problemType =
    defaults.problemType ??
    problem_type ??
    (labels === 1 ? 'regression' : 'single_label_classification');
  if (labels < 1 || (labels < 2 && problemType === 'single_label_classification')) {
    throw invalid(
      `found ${labels} label, expected at least 2 to classify; set num_labels to the number of ` +
        'classes',
    );
  }
  return { labels, problemType };
}
