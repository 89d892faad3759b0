import { describe, expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { defineModel, type Task } from '../../../training/model.ts';

const TINY = { n_embd: 8, n_layer: 1, n_head: 2, vocab_size: 11, n_positions: 8 };

describe('labels of config.json', () => {
  test.each([
    { fields: {}, classes: 2, problemType: 'single_label_classification' },
    { fields: { num_labels: 5 }, classes: 5, problemType: 'single_label_classification' },
    {
      fields: { num_labels: 5, id2label: { 0: 'a', 1: 'b', 2: 'c' } },
      ...{ classes: 3, problemType: 'single_label_classification' },
    },
    { fields: { num_labels: 1 }, classes: 1, problemType: 'regression' },
    {
      fields: { num_labels: 4, problem_type: 'multi_label_classification' },
      ...{ classes: 4, problemType: 'multi_label_classification' },
    },
    {
      fields: { num_labels: 2, problem_type: 'regression' },
      classes: 2,
      problemType: 'regression',
    },
  ])('$fields: $classes, $problemType', ({ fields, ...expected }) => {
    expect(defineModel({ ...TINY, ...fields })).toMatchObject(expected);
  });

  test.each([
    {
      fields: { id2label: { 0: 'all' }, problem_type: 'single_label_classification' },
      message:
        'config.json: found 1 label, expected at least 2 to classify; set num_labels to the number of classes',
    },
    {
      fields: { problem_type: 'ranking' },
      message:
        'config.json: problem_type "ranking" is not supported: expected one of "single_label_classification"|"multi_label_classification"|"regression"; correct it in config.json',
    },
  ])('refuses $fields', ({ fields, message }) => {
    expect(() => defineModel({ ...TINY, ...fields })).toThrow(new Failure('InvalidInput', message));
  });
});

describe('task', () => {
  test.each<{ config: object; task?: Task; architecture: string }>([
    { config: {}, architecture: 'GPT2ForSequenceClassification' },
    { config: { architectures: ['GPT2LMHeadModel'] }, architecture: 'GPT2LMHeadModel' },
    {
      config: { architectures: ['GPT2LMHeadModel'] },
      task: 'text-classification',
      architecture: 'GPT2ForSequenceClassification',
    },
    { config: {}, task: 'causal-lm', architecture: 'GPT2LMHeadModel' },
    { config: { model_type: 'bert' }, architecture: 'BertForSequenceClassification' },
    { config: { model_type: 'distilbert' }, architecture: 'DistilBertForSequenceClassification' },
    { config: { model_type: 'roberta' }, architecture: 'RobertaForSequenceClassification' },
  ])('$config for $task: $architecture', ({ config, task, architecture }) => {
    expect(defineModel({ ...config }, { ...(task && { task }) }).architecture).toBe(architecture);
  });

  test('an encoder is no language model', () => {
    expect(() => defineModel({ model_type: 'bert' }, { task: 'causal-lm' })).toThrow(
      new Failure(
        'InvalidInput',
        "config.json: a model of the type bert cannot learn the task 'causal-lm': it reads texts " +
          "from both sides; use a GPT-2, or the task 'text-classification'",
      ),
    );
  });

  test('an architecture that is not built', () => {
    expect(() => defineModel({ model_type: 'llama' })).toThrow(
      new Failure(
        'InvalidInput',
        'config.json: model_type "llama" cannot be trained; expected one of gpt2, bert, distilbert, roberta',
      ),
    );
  });
});
