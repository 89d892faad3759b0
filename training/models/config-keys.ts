/** Keys of any config.json. Source: Hugging Face transformers 4.x and 5.x, PreTrainedConfig. */
const SHARED = [
  ...['architectures', 'model_type', 'name_or_path', '_name_or_path', 'transformers_version'],
  ...['dtype', 'torch_dtype', 'num_labels', 'id2label', 'label2id', 'problem_type'],
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'sep_token_id', 'tokenizer_class'],
  ...['tie_word_embeddings', 'is_decoder', 'is_encoder_decoder', 'use_cache', 'return_dict'],
  ...['output_attentions', 'output_hidden_states', 'chunk_size_feed_forward', '_num_labels'],
  ...['task_specific_params', 'finetuning_task', 'prefix', 'gradient_checkpointing'],
] as const;

/** Source: Hugging Face transformers 5.x, GPT2Config, and what the models on the Hub have besides. */
const GPT2 = [
  ...['vocab_size', 'n_positions', 'n_embd', 'n_layer', 'n_head', 'n_inner', 'n_ctx'],
  ...['activation_function', 'resid_pdrop', 'embd_pdrop', 'attn_pdrop', 'layer_norm_epsilon'],
  ...['initializer_range', 'scale_attn_weights', 'scale_attn_by_inverse_layer_idx'],
  ...['reorder_and_upcast_attn', 'add_cross_attention', 'summary_type', 'summary_use_proj'],
  ...['summary_activation', 'summary_proj_to_labels', 'summary_first_dropout'],
  ...['n_special', 'predict_special_tokens', 'output_past'],
] as const;

/** Names that Hugging Face takes for keys, too. Source: GPT2Config.attribute_map. */
export const OTHER_NAMES = {
  hidden_size: 'n_embd',
  max_position_embeddings: 'n_positions',
  num_attention_heads: 'n_head',
  num_hidden_layers: 'n_layer',
} as const;

/** Keys that Hugging Face knows in the config.json of a GPT-2, sorted. */
export const GPT2_CONFIG_KEYS: readonly string[] = [...SHARED, ...GPT2].sort();
