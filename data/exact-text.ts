const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The text that UTF-8 bytes stand for. The decoders of Arrow's and DuckDB's libraries take a U+FEFF
 * that begins a text for a byte order mark and drop it, so texts are taken from them as bytes.
 */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
