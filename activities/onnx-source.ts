import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import { ONNX_FILE } from '../training/weights/model-files.ts';

/** Files beside model.onnx that hold its weights, as exporters name them. */
const EXTERNAL_DATA = /^model\.onnx[._]data$/;

/** What of a config.json says nothing about the graph, and so can be said of any. */
const CONFIG_KEYS = ['num_labels', 'id2label', 'label2id', 'problem_type', 'pad_token_id'];

/** The name of the only file of a source, when that is an .onnx file. */
export function singleOnnxFile(names: readonly string[]): string | undefined {
  const [name] = names;
  return names.length === 1 && name?.endsWith('.onnx') === true ? name : undefined;
}

/** Files of a folder that are the graph and its weights; none without a model.onnx. */
export function onnxFiles(names: readonly string[]): readonly string[] {
  if (!names.includes(ONNX_FILE)) return [];
  return [ONNX_FILE, ...names.filter((name) => EXTERNAL_DATA.test(name))];
}

/** The failure of a folder whose .onnx files have other names; undefined when it has none. */
export function otherOnnxFiles(names: readonly string[], source: string): Failure | undefined {
  const others = names.filter((name) => name.endsWith('.onnx'));
  if (others.length === 0) return undefined;
  const [first = ''] = others;
  return new Failure(
    'NotFound',
    `"${source}" has ${others.join(', ')}, and which of them to take is not told: name the folder ` +
      `of one whose file is ${ONNX_FILE}, or the file itself (file:.../${first})`,
  );
}

/** @throws NotFound for an .onnx file by itself without a tokenizer */
export function requireTokenizer(hasTokenizer: boolean, source: string): void {
  if (hasTokenizer) return;
  throw new Failure(
    'NotFound',
    `"${source}" is a graph without a tokenizer: give tokenizer, a file: or hf:// source of the ` +
      'tokenizer.json of the model that was exported',
  );
}

/** @throws InvalidInput for a key of the configuration that would change the graph */
export function requireLabelKeys(config: JsonObject, source: string): void {
  const other = Object.keys(config).find((key) => !CONFIG_KEYS.includes(key));
  if (other === undefined) return;
  throw new Failure(
    'InvalidInput',
    `config: ${other} cannot change "${source}": its graph is what was exported; the keys that can ` +
      `be given are ${CONFIG_KEYS.join(', ')}`,
  );
}
