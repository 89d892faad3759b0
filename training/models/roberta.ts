import type { Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import type { RobertaConfig } from './bert-config.ts';
import {
  bertLinear,
  encoderFields,
  encoderParameters,
  headDropout,
  type BertEncoder,
} from './bert-encoder.ts';
import { drop, linear, type ModelScope, type PackedRows } from './layers.ts';
import type { Head, Transformer } from './transformer.ts';

/** RobertaModel without a pooler. Source: Hugging Face transformers 5.x, modeling_roberta.py. */
export function roberta(config: RobertaConfig): Transformer {
  const { hidden_size: C, initializer_range: std, pad_token_id: padTokenId } = config;
  const encoder: BertEncoder = {
    ...{ config, prefix: 'roberta', paddingPosition: padTokenId },
    positions: (rows) => positions(rows, padTokenId),
  };
  return {
    ...encoderFields(encoder),
    basePrefix: 'roberta.',
    parameters: encoderParameters(encoder),
    mayLack: [],
    knownExtras:
      /(^|\.)(embeddings\.(position_ids|token_type_ids)|lm_head\..*|(classifier|classifier\.dense|classifier\.out_proj|pooler\.dense|qa_outputs)\.(weight|bias))$/,
    // The rows up to padding's are not used.
    positions: config.max_position_embeddings - padTokenId - 1,
    padTokenId,
    hasPadPositions: true,
    classifier: (labels): Head => ({
      architecture: 'RobertaForSequenceClassification',
      parameters: [
        ...bertLinear('classifier.dense', C, C, std),
        ...bertLinear('classifier.out_proj', C, labels, std),
      ],
      logits: (scope, states) => classify(scope, config, states),
      dropout: headDropout(config),
    }),
  };
}

/**
 * Rows of the position embeddings, [R,T]: those after padding's, counting a text's tokens that are
 * not the pad token; a pad token has padding's, wherever it stands.
 * Source: modeling_roberta.py, create_position_ids_from_input_ids.
 */
function positions(rows: PackedRows, padTokenId: number): Value {
  const { inputIds, positionIds, segmentIds } = rows;
  const asQuery = (ids: Value): Value => ops.reshape(ids, ['R', 'T', 1]);
  const asKey = (ids: Value): Value => ops.reshape(ids, ['R', 1, 'T']);
  const isSameText = ops.equal(asQuery(segmentIds), asKey(segmentIds));
  const isBefore = ops.lessOrEqual(asKey(positionIds), asQuery(positionIds));
  const isPad = ops.equal(inputIds, padTokenId);
  const padsBefore = ops.matMul(
    ops.cast(ops.and(isSameText, isBefore), 'float32'),
    asQuery(ops.cast(isPad, 'float32')),
  );
  const skipped = ops.cast(ops.reshape(padsBefore, ['R', 'T']), 'int32');
  const counted = ops.add(ops.sub(positionIds, skipped), padTokenId + 1);
  return ops.where(isPad, padTokenId, counted);
}

/** dropout → tanh(dense) → dropout → out_proj: [E,C] → [E,labels]. */
function classify(scope: ModelScope, config: RobertaConfig, states: Value): Value {
  const site = 3 * config.num_hidden_layers + 1;
  const probability = headDropout(config);
  const kept = drop(scope, states, site, probability);
  const hidden = ops.tanh(linear(scope, kept, 'classifier.dense'));
  return linear(scope, drop(scope, hidden, site + 1, probability), 'classifier.out_proj');
}
