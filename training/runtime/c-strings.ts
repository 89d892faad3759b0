import koffi from 'koffi';
import type { Pointer } from './ort-api.ts';

/** C strings that are kept as long as their table. */
export class StringTable {
  readonly #strings = new Map<string, { readonly bytes: Uint8Array; readonly address: Pointer }>();

  /** The address of a string's bytes, with a 0 at their end. */
  address(text: string): Pointer {
    const known = this.#strings.get(text);
    if (known !== undefined) return known.address;
    const encoded = Buffer.from(`${text}\0`);
    const bytes = new Uint8Array(new SharedArrayBuffer(encoded.length));
    bytes.set(encoded);
    const address = koffi.address(bytes);
    this.#strings.set(text, { bytes, address });
    return address;
  }

  /** `const char* const*` of these strings. */
  addresses(texts: readonly string[]): BigUint64Array {
    return addressArray(texts.map((text) => this.address(text)));
  }
}

/** An array of addresses in memory that does not move while a call reads it. */
export function addressArray(pointers: readonly Pointer[]): BigUint64Array {
  const array = new BigUint64Array(new SharedArrayBuffer(Math.max(pointers.length, 1) * 8), 0);
  const exact = array.subarray(0, pointers.length);
  exact.set(pointers);
  return exact;
}
