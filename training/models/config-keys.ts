/** Keys of every config.json. Source: Hugging Face transformers 5.x, PreTrainedConfig. */
const SHARED = [
  ...['architectures', 'model_type', 'name_or_path', '_name_or_path', 'transformers_version'],
  ...['dtype', 'torch_dtype', 'num_labels', 'id2label', 'label2id', 'problem_type'],
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'sep_token_id', 'tokenizer_class'],
  ...['tie_word_embeddings', 'is_decoder', 'use_cache', 'task_specific_params'],
] as const;

/** Source: Hugging Face transformers 5.x, GPT2Config. */
const GPT2 = [
  ...['vocab_size', 'n_positions', 'n_embd', 'n_layer', 'n_head', 'n_inner', 'n_ctx'],
  ...['activation_function', 'resid_pdrop', 'embd_pdrop', 'attn_pdrop', 'layer_norm_epsilon'],
  ...['initializer_range', 'scale_attn_weights', 'scale_attn_by_inverse_layer_idx'],
  ...['reorder_and_upcast_attn', 'add_cross_attention', 'summary_type', 'summary_use_proj'],
  ...['summary_activation', 'summary_proj_to_labels', 'summary_first_dropout'],
] as const;

/** Keys that Hugging Face knows in the config.json of a GPT-2, sorted. */
export const GPT2_CONFIG_KEYS: readonly string[] = [...SHARED, ...GPT2].sort();
