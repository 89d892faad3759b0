/**
 * The part of the WebAssembly JavaScript interface that training uses. Node has it; its type
 * package and `lib: ES2023` do not. Source: https://webassembly.github.io/spec/js-api/
 */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: boolean });
    readonly buffer: ArrayBuffer;
  }
  /** A compiled module; it can be posted to a worker thread. */
  class Module {
    constructor(bytes: Uint8Array);
  }
}
