import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { cleanUp } from './cleanup.ts';

export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface EditorDiagnostic {
  readonly message: string;
  readonly range: { readonly start: Position };
}

export interface Completion {
  readonly label: string;
  /** Text, or text in Markdown. */
  readonly documentation?: string | { readonly value: string };
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/**
 * yaml-language-server as an editor runs it: a process of its own, spoken to in the Language Server
 * Protocol over stdin and stdout. It ends with its test file.
 */
export class YamlLanguageServer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #published = new Map<string, (found: readonly EditorDiagnostic[]) => void>();
  #received = Buffer.alloc(0);
  #lastId = 0;

  private constructor() {
    const program = join(
      PROJECT_ROOT,
      'node_modules/yaml-language-server/bin/yaml-language-server',
    );
    this.#process = spawn(process.execPath, [program, '--stdio'], { stdio: 'pipe' });
    this.#process.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
    const exited = new Promise<void>((resolve) => this.#process.once('close', () => resolve()));
    cleanUp(async () => {
      this.#process.kill('SIGKILL');
      await exited;
    });
  }

  static async start(): Promise<YamlLanguageServer> {
    const server = new YamlLanguageServer();
    const textDocument = {
      hover: { contentFormat: ['plaintext'] },
      completion: { completionItem: { documentationFormat: ['plaintext'] } },
    };
    await server.#request('initialize', {
      processId: process.pid,
      rootUri: null,
      capabilities: { textDocument },
    });
    server.#notify('initialized', {});
    const yaml = { validate: true, hover: true, completion: true, schemaStore: { enable: false } };
    server.#notify('workspace/didChangeConfiguration', { settings: { yaml } });
    return server;
  }

  /** Opens a document under a path, whether there is a file or not; what the server then says of it. */
  async open(path: string, text: string): Promise<readonly EditorDiagnostic[]> {
    const uri = pathToFileURL(path).href;
    const published = new Promise<readonly EditorDiagnostic[]>((resolve) => {
      this.#published.set(uri, resolve);
    });
    const textDocument = { uri, languageId: 'yaml', version: 1, text };
    this.#notify('textDocument/didOpen', { textDocument });
    return published;
  }

  async complete(path: string, position: Position): Promise<readonly Completion[]> {
    const textDocument = { uri: pathToFileURL(path).href };
    const result = await this.#request('textDocument/completion', { textDocument, position });
    return (result as { items: readonly Completion[] }).items;
  }

  /** What is shown at a position; empty for nothing. */
  async hover(path: string, position: Position): Promise<string> {
    const textDocument = { uri: pathToFileURL(path).href };
    const result = await this.#request('textDocument/hover', { textDocument, position });
    return (result as { contents: { value: string } } | null)?.contents.value ?? '';
  }

  async #request(method: string, params: unknown): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<Message>((resolve) => this.#answers.set(id, resolve));
    this.#send({ id, method, params });
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #notify(method: string, params: unknown): void {
    this.#send({ method, params });
  }

  #send(message: Message): void {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.#process.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  #read(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const headEnd = this.#received.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const head = this.#received.toString('utf8', 0, headEnd);
      const length = Number(/Content-Length: (\d+)/i.exec(head)?.[1]);
      const end = headEnd + 4 + length;
      if (this.#received.length < end) return;
      const body = this.#received.toString('utf8', headEnd + 4, end);
      this.#received = this.#received.subarray(end);
      this.#handle(JSON.parse(body) as Message);
    }
  }

  #handle({ id, method, params, result, error }: Message): void {
    if (method === 'textDocument/publishDiagnostics') {
      const { uri, diagnostics } = params as { uri: string; diagnostics: EditorDiagnostic[] };
      this.#published.get(uri)?.(diagnostics);
    } else if (method !== undefined && id !== undefined) {
      // The server asks for what this client does not have, such as settings of a workspace.
      this.#send({ id, result: null });
    } else if (id !== undefined) {
      this.#answers.get(id)?.({ result, ...(error !== undefined && { error }) });
    }
  }
}
