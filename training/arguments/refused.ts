const DISTRIBUTED = 'one worker trains on one device: remove it';
const HUB = 'a training publishes nothing: use register@1, and push the exported files yourself';
const REPORT = 'the curve is in the output history and in `retune show`: remove it';
const LOGS = 'a step has no console of its own, the worker logs once for all: remove it';
const LOADING =
  'tokenized rows are read once into memory, so nothing loads beside training: remove it';
const COMPILED = 'ONNX Runtime compiles the graphs in every training: remove it';
const PRECISION = 'set bf16 or fp16, on a device that can';
const DEVICE = "set the step's device";
const CHECKPOINTS =
  "checkpoints are the store's, written by one worker and taken for resumption: remove it";
const RESUMED =
  'a training goes on from its last checkpoint by itself, to the same bytes: remove it';
const EVALUATION = 'evaluation packs as many rows as fit a pass, and keeps only logits: remove it';
const ACTIVATIONS =
  'a pass holds a fixed budget of tokens, so activations stay bounded without being computed twice; for less memory use lora or freeze, or a lower max_length: remove it';
const GENERATION = 'train@1 generates no text: remove it';
const SCRIPTS = 'a pipeline says what runs by its steps: remove it';
const GALORE = 'it belongs to GaLore and APOLLO, which are not there: use lora';

/**
 * Names of Hugging Face's TrainingArguments (transformers 5.23, and those of 4.x) that mean nothing
 * here, and what to do instead. Refused whatever their value: what is accepted has an effect.
 */
export const REFUSED_ARGUMENTS = {
  // Where things are written
  output_dir: "the model is the step's output, and checkpoints are the store's: remove it",
  overwrite_output_dir: 'nothing is ever overwritten: remove it; to train again use --force',
  logging_dir: REPORT,
  save_safetensors: 'weights are always written as safetensors: remove it',
  save_only_model: 'a checkpoint without moments could not go on to the same bytes: remove it',
  save_on_each_node: CHECKPOINTS,
  enable_jit_checkpoint: 'a worker that is told to stop always takes a checkpoint first: remove it',

  // Reports
  report_to: REPORT,
  run_name:
    "the run is called by its workflow id, the step by the pipeline's name for it: remove it",
  project: REPORT,
  trackio_space_id: REPORT,
  trackio_bucket_id: REPORT,
  trackio_static_space_id: REPORT,
  log_level: LOGS,
  log_level_replica: LOGS,
  log_on_each_node: LOGS,
  disable_tqdm: '`retune run --no-follow` hides the progress: remove it',
  logging_nan_inf_filter:
    'a loss that is no number stops the step, and is never left out of the curve: remove it',
  include_tokens_per_second: 'tokens_per_second is in every row of the history: remove it',
  skip_memory_metrics: 'memory is not measured: remove it',
  debug: 'a loss or gradient that is no number stops the step, naming step and rows: remove it',

  // The Hub
  push_to_hub: HUB,
  push_to_hub_model_id: HUB,
  push_to_hub_organization: HUB,
  push_to_hub_token: HUB,
  hub_token: HUB,
  hub_private_repo: HUB,
  hub_model_id: HUB,
  hub_strategy: HUB,
  hub_always_push: HUB,
  hub_revision: HUB,

  // Batches and evaluation
  per_device_eval_batch_size:
    'it would change nothing, as evaluation packs as many rows as fit a pass: remove it',
  per_gpu_eval_batch_size:
    'it would change nothing, as evaluation packs as many rows as fit a pass: remove it',
  auto_find_batch_size:
    'there is nothing to find: passes are sized by tokens, whatever the batch size, which is kept: remove it',
  eval_accumulation_steps: EVALUATION,
  eval_do_concat_batches: EVALUATION,
  eval_use_gather_object: EVALUATION,
  batch_eval_metrics: EVALUATION,
  prediction_loss_only: 'metrics cost nothing beside the loss: remove it',
  include_for_metrics: 'metrics read logits and labels: remove it',
  include_inputs_for_metrics: 'metrics read logits and labels: remove it',
  use_legacy_prediction_loop: EVALUATION,

  // Precision and compilation
  bf16_full_eval: PRECISION,
  fp16_full_eval: PRECISION,
  fp16_opt_level: 'it belonged to NVIDIA Apex: set fp16',
  fp16_backend: 'it belonged to NVIDIA Apex: set fp16',
  half_precision_backend: 'it belonged to NVIDIA Apex: set bf16 or fp16',
  tf32: 'float32 is computed as float32; on a GPU set bf16',
  torch_compile: COMPILED,
  torch_compile_backend: COMPILED,
  torch_compile_mode: COMPILED,
  torchdynamo: COMPILED,
  jit_mode_eval: COMPILED,
  use_ipex: COMPILED,
  use_liger_kernel: COMPILED,
  liger_kernel_config: COMPILED,
  activation_checkpointing: ACTIVATIONS,
  activation_checkpointing_kwargs: ACTIVATIONS,
  gradient_checkpointing: ACTIVATIONS,
  gradient_checkpointing_kwargs: ACTIVATIONS,
  use_cache: 'nothing is generated during training, so there is no cache of keys: remove it',
  past_index: 'no model that is built has a memory of past states: remove it',
  torch_empty_cache_steps: 'memory is allocated once and kept: remove it',
  optim_target_modules: GALORE,
  neftune_noise_alpha:
    'noise on embeddings is not built; against overfitting use dropout, weight_decay or label_smoothing_factor',

  // Devices
  no_cuda: DEVICE,
  use_cpu: DEVICE,
  use_mps_device: DEVICE,
  tpu_num_cores: 'TPUs are not supported: set device',
  tpu_metrics_debug: 'TPUs are not supported: remove it',
  xpu_backend: DISTRIBUTED,
  mp_parameters: DISTRIBUTED,
  local_rank: DISTRIBUTED,
  average_tokens_across_devices: DISTRIBUTED,
  accelerator_config: DISTRIBUTED,
  parallelism_config: DISTRIBUTED,
  ddp_find_unused_parameters: DISTRIBUTED,
  ddp_bucket_cap_mb: DISTRIBUTED,
  ddp_broadcast_buffers: DISTRIBUTED,
  ddp_static_graph: DISTRIBUTED,
  ddp_backend: DISTRIBUTED,
  ddp_timeout: DISTRIBUTED,
  fsdp: DISTRIBUTED,
  fsdp_config: DISTRIBUTED,
  fsdp_min_num_params: DISTRIBUTED,
  fsdp_transformer_layer_cls_to_wrap: DISTRIBUTED,
  sharded_ddp: DISTRIBUTED,
  deepspeed: DISTRIBUTED,
  ray_scope: "Ray's search is not used: remove it",

  // Data loading
  dataloader_num_workers: LOADING,
  dataloader_pin_memory: LOADING,
  dataloader_persistent_workers: LOADING,
  dataloader_prefetch_factor: LOADING,
  dataloader_multiprocessing_context: LOADING,
  dataloader_in_order: LOADING,
  remove_unused_columns: 'download-dataset names the columns that are read: remove it',
  label_names: "download-dataset's label names the column: remove it",
  length_column_name: "a row's length is its number of tokens: remove it",

  // Resumption and determinism
  resume_from_checkpoint: RESUMED,
  ignore_data_skip: RESUMED,
  restore_callback_states_from_checkpoint: RESUMED,
  full_determinism: 'training is always deterministic, to the bit: remove it',

  // Of scripts, and of subclasses
  do_train: SCRIPTS,
  do_eval: SCRIPTS,
  do_predict: SCRIPTS,
  sortish_sampler: "set train_sampling_strategy: 'group_by_length'",
  predict_with_generate: GENERATION,
  generation_max_length: GENERATION,
  generation_num_beams: GENERATION,
  generation_config: GENERATION,
} as const satisfies { readonly [name: string]: string };
