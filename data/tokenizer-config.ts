import { readFile } from 'node:fs/promises';
import type { Tokenizer } from 'tokenizers';
import { Failure } from '../plan/failures.ts';
import { artifactFile } from '../store/artifacts.ts';
import type { ArtifactManifest, Store } from '../store/store.ts';

type TokenValue = string | { readonly content: string } | null;

/** The tokens that a chat template may name, as transformers' `special_tokens_map` has them. */
const SPECIAL_TOKENS = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map(
  (name) => `${name}_token`,
);

/** tokenizer_config.json and special_tokens_map.json, as far as they matter here. */
export interface TokenizerConfig {
  readonly pad_token?: TokenValue;
  readonly eos_token?: TokenValue;
  readonly model_max_length?: number | null;
  readonly truncation_side?: string | null;
  /** Of config.json. */
  readonly eos_token_id?: number | readonly number[] | null;
  /** One template, or several by name. */
  readonly chat_template?:
    string | readonly { readonly name: string; readonly template: string }[] | null;
}

/**
 * What the files of a model say of its tokenizer.
 * @throws InvalidInput when one is not JSON; NotFound, CorruptArtifact
 */
export async function readConfig(
  store: Store,
  manifest: ArtifactManifest,
  tokenizer: Tokenizer,
): Promise<TokenizerConfig> {
  let config = withoutNulls(await configOfModel(store, manifest, tokenizer));
  for (const name of ['special_tokens_map.json', 'tokenizer_config.json']) {
    if (!manifest.files.some(({ path }) => path === name)) continue;
    const text = await readFile(await artifactFile(store, manifest, name), 'utf8');
    config = { ...config, ...withoutNulls(parseJson(name, text)) };
  }
  return config;
}

/** The text of a token. */
export function tokenText(token: TokenValue | undefined): string | undefined {
  return typeof token === 'string' ? token : (token?.content ?? undefined);
}

/** The special tokens that are named, by transformers' name. */
export function specialTokensOf(config: TokenizerConfig): Readonly<Record<string, string>> {
  const tokens = config as Readonly<Record<string, TokenValue | undefined>>;
  return Object.fromEntries(
    SPECIAL_TOKENS.map((name) => [name, tokenText(tokens[name])]).filter(([, token]) => token),
  ) as Record<string, string>;
}

/**
 * The model's chat template: chat_template.jinja, else `chat_template` of tokenizer_config.json; of
 * several the one named `default`, as transformers chooses.
 * @throws NotFound, CorruptArtifact
 */
export async function chatTemplateOf(
  store: Store,
  manifest: ArtifactManifest,
  { chat_template: template }: TokenizerConfig,
): Promise<string | undefined> {
  if (manifest.files.some(({ path }) => path === 'chat_template.jinja')) {
    return readFile(await artifactFile(store, manifest, 'chat_template.jinja'), 'utf8');
  }
  if (template == null || typeof template === 'string') return template ?? undefined;
  return template.find(({ name }) => name === 'default')?.template;
}

/** GPT-2's tokenizer on the Hub names no token: which one ends a text, the model's own config says. */
async function configOfModel(
  store: Store,
  manifest: ArtifactManifest,
  tokenizer: Tokenizer,
): Promise<TokenizerConfig> {
  if (!manifest.files.some(({ path }) => path === 'config.json')) return {};
  const text = await readFile(await artifactFile(store, manifest, 'config.json'), 'utf8');
  const { eos_token_id: id } = parseJson('config.json', text);
  return { eos_token: typeof id === 'number' ? tokenizer.idToToken(id) : null };
}

function parseJson(name: string, text: string): TokenizerConfig {
  try {
    return JSON.parse(text) as TokenizerConfig;
  } catch (cause) {
    const message = `the model's ${name} is not JSON: ${(cause as Error).message}`;
    throw new Failure('InvalidInput', message, { cause });
  }
}

/** So that a token which one file leaves open is taken from the other. */
function withoutNulls(config: TokenizerConfig): TokenizerConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}
