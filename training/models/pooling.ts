/**
 * Position of the token whose state a decoder's classification head reads: the rightmost id that is
 * not the pad token; 0 when every id is; the last one when there is no pad token.
 * Source: Hugging Face transformers 5.x, GenericForSequenceClassification.forward.
 *
 * @param ids token ids of one example, at least one
 */
export function lastTokenPosition(ids: ArrayLike<number>, padTokenId: number | null): number {
  if (padTokenId === null) return ids.length - 1;
  for (let position = ids.length - 1; position > 0; position--) {
    if (ids[position] !== padTokenId) return position;
  }
  return 0;
}

/** Position of the token that an encoder's classification head reads: [CLS] or <s>. */
export function firstTokenPosition(): number {
  return 0;
}
