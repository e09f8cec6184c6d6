/** A real mail server (Python's aiosmtpd) that keeps what it takes, for reading it as voters do. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(
  new URL('../../crates/gateway/tests/tools/smtp_server.py', import.meta.url),
);
const PLACES = [
  fileURLToPath(new URL('../../target/test-tools/python/bin/python3', import.meta.url)),
  'python3',
];

/** A Python that has the server's library (`cargo xtask install`). */
export const PYTHON = PLACES.find((python) => {
  try {
    execFileSync(python, ['-c', 'import aiosmtpd'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/** The text of a letter of one part, as a mail program shows it. */
function textOf(letter: string): string {
  const [head = '', ...parts] = letter.replaceAll('\r\n', '\n').split('\n\n');
  const body = parts.join('\n\n');
  const [, encoding = ''] = /^content-transfer-encoding: *(\S+)/im.exec(head) ?? [];
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  if (encoding !== 'quoted-printable') return body;
  const bytes = body
    .replace(/=\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

export class Mailbox {
  readonly #child: ChildProcess;
  readonly #letters = new Map<string, string[]>();
  /** As `--server` takes it. */
  readonly address: string;

  private constructor(child: ChildProcess, port: string) {
    [this.#child, this.address] = [child, `smtp://127.0.0.1:${port}`];
  }

  static async start(): Promise<Mailbox> {
    if (PYTHON === undefined) throw new Error('no Python with aiosmtpd');
    const child = spawn(PYTHON, [SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout! });
    const port = await new Promise<string>((resolve) => lines.once('line', resolve));
    const mailbox = new Mailbox(child, port);
    lines.on('line', (line) => mailbox.#take(JSON.parse(line)));
    return mailbox;
  }

  #take({ to, text }: { to: string[]; text: string }): void {
    for (const one of to) this.#letters.set(one, [...this.of(one), textOf(text)]);
  }

  /** The letters to somebody, oldest first. */
  of(address: string): readonly string[] {
    return this.#letters.get(address) ?? [];
  }

  /** How many people have got letters. */
  get size(): number {
    return this.#letters.size;
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await gone;
  }
}
