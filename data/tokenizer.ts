import { readFile } from 'node:fs/promises';
import { Tokenizer } from 'tokenizers';
import { Failure } from '../plan/failures.ts';
import { artifactFile, readManifest } from '../store/artifacts.ts';
import type { ArtifactDigest, ArtifactManifest, BlobDigest, Store } from '../store/store.ts';
import { counted, didYouMean } from './wording.ts';

export interface TokenizerOptions {
  /**
   * `eos`, or a token of the tokenizer, to use as padding. Default: the tokenizer's own pad token.
   */
  readonly padToken?: string;
  /** Whether rows longer than `maxLength` are cut. Default true. */
  readonly truncation?: boolean;
  /** Longest row in tokens, special ones included. Default: what the tokenizer says. */
  readonly maxLength?: number;
  /** Tokens that the model can read at most: a longer limit, or none, gives way to it. */
  readonly modelLimit?: number;
}

export interface Encoded {
  readonly inputIds: Int32Array;
  readonly truncated: boolean;
}

/** A model's tokenizer, as Hugging Face's `tokenizer(text, truncation=True, max_length=...)`. */
export interface ModelTokenizer {
  readonly padToken: string;
  readonly padTokenId: number;
  /** Null when rows are not cut. */
  readonly maxLength: number | null;
  /** Digest of tokenizer.json. */
  readonly digest: BlobDigest;
  /** Encodes texts on other threads, with the special tokens that the tokenizer adds. */
  encode(texts: readonly string[]): Promise<readonly Encoded[]>;
}

/** tokenizer_config.json and special_tokens_map.json, as far as they matter here. */
interface TokenizerConfig {
  readonly pad_token?: string | { readonly content: string } | null;
  readonly eos_token?: string | { readonly content: string } | null;
  readonly model_max_length?: number | null;
  readonly truncation_side?: string | null;
  /** Of config.json. */
  readonly eos_token_id?: number | readonly number[] | null;
}

/** Hugging Face writes 1e30 for a tokenizer without a limit. */
const NO_LIMIT = 1e9;

/**
 * Loads the tokenizer of a model artifact: tokenizer.json, and tokenizer_config.json,
 * special_tokens_map.json and config.json when there are any.
 *
 * @throws InvalidInput when the model has none, it has no pad token and none is named, or the
 * limit is missing or too low; NotFound, CorruptArtifact
 */
export async function loadTokenizer(
  store: Store,
  model: ArtifactDigest,
  options: TokenizerOptions,
): Promise<ModelTokenizer> {
  const manifest = await readManifest(store, model, 'model');
  const file = manifest.files.find(({ path }) => path === 'tokenizer.json');
  if (file === undefined) {
    throw new Failure(
      'InvalidInput',
      'the model has no tokenizer.json: give a tokenizer where the model is downloaded or made',
    );
  }
  const path = await artifactFile(store, manifest, 'tokenizer.json');
  const whole = openTokenizer(path);
  const config = await readConfig(store, manifest, whole);
  const pad = findPadToken(whole, config, options.padToken);
  const maxLength = await findMaxLength(whole, config, options);
  const limited = openTokenizer(path);
  if (maxLength !== null) {
    limited.setTruncation(maxLength, { direction: config.truncation_side ?? 'right' });
  }
  return {
    ...pad,
    maxLength,
    digest: file.digest,
    encode: (texts) => encode(whole, limited, maxLength, texts),
  };
}

/** The file may hold settings for truncation and padding, which Hugging Face overrides too. */
function openTokenizer(path: string): Tokenizer {
  try {
    const tokenizer = Tokenizer.fromFile(path);
    tokenizer.disableTruncation();
    tokenizer.disablePadding();
    return tokenizer;
  } catch (error) {
    throw new Failure(
      'InvalidInput',
      `the model's tokenizer.json cannot be read: ${(error as Error).message}; export it anew with ` +
        'save_pretrained of transformers',
      { cause: error },
    );
  }
}

async function readConfig(
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

function findPadToken(
  tokenizer: Tokenizer,
  config: TokenizerConfig,
  wanted: string | undefined,
): { readonly padToken: string; readonly padTokenId: number } {
  const eos = tokenText(config.eos_token);
  const padToken = wanted === 'eos' ? eos : (wanted ?? tokenText(config.pad_token));
  if (padToken === undefined) {
    throw new Failure(
      'InvalidInput',
      wanted === 'eos'
        ? 'pad_token: eos is asked for, but the tokenizer names no eos_token: name a token of its ' +
            'vocabulary, as pad_token: <|endoftext|>'
        : `the tokenizer has no pad token: add pad_token: ${eos === undefined ? 'TOKEN, a token of its vocabulary' : 'eos'}`,
    );
  }
  const padTokenId = tokenizer.tokenToId(padToken);
  if (padTokenId === null) {
    const names = Object.keys(tokenizer.getVocab()).filter((token) => token.length > 2);
    throw new Failure(
      'InvalidInput',
      `pad_token "${padToken}" is not in the tokenizer's vocabulary of ` +
        `${counted(tokenizer.getVocabSize(), 'token')}${didYouMean(padToken, names)}`,
    );
  }
  return { padToken, padTokenId };
}

function tokenText(token: TokenizerConfig['pad_token']): string | undefined {
  return typeof token === 'string' ? token : (token?.content ?? undefined);
}

async function findMaxLength(
  tokenizer: Tokenizer,
  config: TokenizerConfig,
  { truncation, maxLength, modelLimit = Infinity }: TokenizerOptions,
): Promise<number | null> {
  if (truncation === false) {
    if (maxLength === undefined) return null;
    throw new Failure(
      'InvalidInput',
      `max_length: ${maxLength} has no effect with truncation: false: leave one of them out`,
    );
  }
  const limit = Math.min(maxLength ?? config.model_max_length ?? Infinity, modelLimit);
  if (maxLength === undefined && limit > NO_LIMIT) {
    throw new Failure(
      'InvalidInput',
      'the tokenizer does not say how long a row may be: add max_length, as max_length: 128, or ' +
        'truncation: false',
    );
  }
  const special = (await tokenizer.encode('')).getLength();
  if (!Number.isSafeInteger(limit) || limit <= special) {
    throw new Failure(
      'InvalidInput',
      `max_length: ${limit} is too short: expected an integer above ${special}` +
        (special === 0 ? '' : `, as the tokenizer adds ${counted(special, 'token')} to each row`),
    );
  }
  return limit;
}

async function encode(
  whole: Tokenizer,
  limited: Tokenizer,
  maxLength: number | null,
  texts: readonly string[],
): Promise<readonly Encoded[]> {
  const encodings = await whole.encodeBatch([...texts]);
  return Promise.all(
    encodings.map(async (encoding, index): Promise<Encoded> => {
      const truncated = maxLength !== null && encoding.getLength() > maxLength;
      // The library does not say what it cut off, so only what is too long is cut.
      const kept = truncated ? await limited.encode(texts[index]) : encoding;
      return { inputIds: Int32Array.from(kept.getIds()), truncated };
    }),
  );
}
