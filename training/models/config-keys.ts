import type { ModelType } from './architectures.ts';

/** Keys of any config.json. Source: Hugging Face transformers 4.x and 5.x, PreTrainedConfig. */
const SHARED = [
  ...['architectures', 'model_type', 'name_or_path', '_name_or_path', 'transformers_version'],
  ...['dtype', 'torch_dtype', 'num_labels', 'id2label', 'label2id', 'problem_type'],
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'sep_token_id', 'tokenizer_class'],
  ...['tie_word_embeddings', 'is_decoder', 'is_encoder_decoder', 'use_cache', 'return_dict'],
  ...['output_attentions', 'output_hidden_states', 'chunk_size_feed_forward', '_num_labels'],
  ...['task_specific_params', 'finetuning_task', 'prefix', 'gradient_checkpointing'],
  ...['vocab_size', 'initializer_range', 'add_cross_attention', 'output_past', 'pruned_heads'],
] as const;

/** Source: Hugging Face transformers 4.x and 5.x, BertConfig and RobertaConfig. */
const BERT = [
  ...['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size'],
  ...['hidden_act', 'hidden_dropout_prob', 'attention_probs_dropout_prob', 'classifier_dropout'],
  ...['max_position_embeddings', 'type_vocab_size', 'layer_norm_eps', 'position_embedding_type'],
] as const;

/** By architecture, with what the models on the Hub have besides. */
const KEYS: Readonly<Record<ModelType, readonly string[]>> = {
  gpt2: [
    ...['n_positions', 'n_embd', 'n_layer', 'n_head', 'n_inner', 'n_ctx'],
    ...['activation_function', 'resid_pdrop', 'embd_pdrop', 'attn_pdrop', 'layer_norm_epsilon'],
    ...['scale_attn_weights', 'scale_attn_by_inverse_layer_idx', 'reorder_and_upcast_attn'],
    ...['summary_type', 'summary_use_proj', 'summary_activation', 'summary_proj_to_labels'],
    ...['summary_first_dropout', 'n_special', 'predict_special_tokens'],
  ],
  bert: [
    ...BERT,
    ...['directionality', 'pooler_fc_size', 'pooler_num_attention_heads', 'pooler_num_fc_layers'],
    ...['pooler_size_per_head', 'pooler_type'],
  ],
  distilbert: [
    ...['dim', 'n_layers', 'n_heads', 'hidden_dim', 'activation', 'dropout', 'attention_dropout'],
    ...['seq_classif_dropout', 'qa_dropout', 'max_position_embeddings', 'sinusoidal_pos_embds'],
    'tie_weights_',
  ],
  roberta: BERT,
};

/** Names that Hugging Face takes for keys, too: the attribute_map of each configuration. */
export const OTHER_NAMES = {
  gpt2: {
    hidden_size: 'n_embd',
    max_position_embeddings: 'n_positions',
    num_attention_heads: 'n_head',
    num_hidden_layers: 'n_layer',
  },
  bert: {},
  distilbert: {
    hidden_size: 'dim',
    num_attention_heads: 'n_heads',
    num_hidden_layers: 'n_layers',
  },
  roberta: {},
} as const satisfies Record<ModelType, { readonly [other: string]: string }>;

/**
 * Keys that Hugging Face knows in the config.json of an architecture, sorted.
 * @param modelType undefined: of any
 */
export function configKeys(modelType: ModelType | undefined): readonly string[] {
  const own = modelType === undefined ? Object.values(KEYS).flat() : KEYS[modelType];
  return [...new Set([...SHARED, ...own])].sort();
}
