import { Tokenizer } from 'tokenizers';
import type { Encoding } from 'tokenizers';
import { Failure } from '../plan/failures.ts';
import { artifactFile, readManifest } from '../store/artifacts.ts';
import type { ArtifactDigest, BlobDigest, Store } from '../store/store.ts';
import { chatTemplateOf, readConfig, specialTokensOf, tokenText } from './tokenizer-config.ts';
import type { TokenizerConfig } from './tokenizer-config.ts';
import { counted, didYouMean } from './wording.ts';

export interface TokenizerOptions {
  /**
   * `eos`, or a token of the tokenizer, to use as padding. Default: the tokenizer's own pad token.
   */
  readonly padToken?: string;
  /** Whether eos stands in for padding where the tokenizer has none. Default false. */
  readonly padsWithEos?: boolean;
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
  /** What the tokenizer itself says; null when it says nothing. */
  readonly modelMaxLength: number | null;
  /** Digest of tokenizer.json. */
  readonly digest: BlobDigest;
  /** `eos_token` and others, by transformers' name. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** The model's own. */
  readonly chatTemplate: string | undefined;
  /** Encodes texts on other threads, with the special tokens that the tokenizer adds. */
  encode(texts: readonly string[]): Promise<readonly Encoded[]>;
  /** Encodes texts without cutting them; with or without the special tokens. */
  encodeWhole(texts: readonly string[], addSpecialTokens: boolean): Promise<readonly Encoding[]>;
  tokenId(token: string): number | null;
}

/** Hugging Face writes 1e30 for a tokenizer without a limit. */
const NO_LIMIT = 1e9;

/**
 * Loads the tokenizer of a model artifact: tokenizer.json, and tokenizer_config.json,
 * special_tokens_map.json, chat_template.jinja and config.json when there are any.
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
  const pad = findPadToken(whole, config, options);
  const maxLength = await findMaxLength(whole, config, options);
  const limited = openTokenizer(path);
  if (maxLength !== null) {
    limited.setTruncation(maxLength, { direction: config.truncation_side ?? 'right' });
  }
  return {
    ...pad,
    maxLength,
    modelMaxLength:
      (config.model_max_length ?? Infinity) > NO_LIMIT ? null : (config.model_max_length ?? null),
    digest: file.digest,
    specialTokens: specialTokensOf(config),
    chatTemplate: await chatTemplateOf(store, manifest, config),
    encode: (texts) => encode(whole, limited, maxLength, texts),
    encodeWhole: (texts, addSpecialTokens) => whole.encodeBatch([...texts], { addSpecialTokens }),
    tokenId: (token) => whole.tokenToId(token),
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

function findPadToken(
  tokenizer: Tokenizer,
  config: TokenizerConfig,
  { padToken: wanted, padsWithEos = false }: TokenizerOptions,
): { readonly padToken: string; readonly padTokenId: number } {
  const eos = tokenText(config.eos_token);
  const own = tokenText(config.pad_token) ?? (padsWithEos ? eos : undefined);
  const padToken = wanted === 'eos' ? eos : (wanted ?? own);
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
