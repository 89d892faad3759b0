import { expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { checkRows } from '../../../training/examples.ts';
import { readModelFixture, rowsOf } from './model-fixture.ts';

const { model, examples } = await readModelFixture('roberta-reference');
const requirements = { name: 'train_dataset', model, needsAnswers: false };

test('rows of another pad token are refused: the trained model would count from it', () => {
  const rows = rowsOf(examples);
  expect(() => checkRows(rows, { ...requirements, padTokenId: 1 })).not.toThrow();
  expect(() => checkRows(rows, { ...requirements, padTokenId: 2 })).toThrow(
    new Failure(
      'InvalidInput',
      'train_dataset was tokenized with the pad token 2, and the model counts positions from its ' +
        'own, 1; give tokenize no pad_token, or the token of that id',
    ),
  );
});

test('the positions of padding and before it are not for texts', () => {
  const rows = rowsOf([{ input_ids: Array.from({ length: 33 }, () => 5) }]);
  expect(model.positions).toBe(32);
  expect(() => checkRows(rows, { ...requirements, padTokenId: 1 })).toThrow(
    new Failure(
      'InvalidInput',
      'row "0" of train_dataset has 33 tokens, and the model reads 32; give tokenize max_length: ' +
        '32 or less',
    ),
  );
});
