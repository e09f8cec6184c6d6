/**
 * WebSockets by hand, thousands of them in one process: what Node 20 has no client for. Only what
 * the feed needs: text from either side, pings, and the end.
 */

import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { Socket } from 'node:net';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const FINAL = 0x80;

/** A frame of a client: short enough for two bytes of length, masked as clients must. */
function frame(kind: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const masked = payload.map((byte, at) => byte ^ mask[at % 4]!);
  const head = Buffer.alloc(4);
  head.writeUInt8(FINAL | kind, 0);
  head.writeUInt8(FINAL | 126, 1);
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, mask, masked]);
}

/** A node has answered something else than a feed. */
export class NotOpened extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the node has answered ${status}`);
    this.status = status;
  }
}

export class Wire {
  readonly #socket: Socket;
  #left: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #parts: Buffer[] = [];
  onText: (text: string) => void = () => undefined;
  onEnd: () => void = () => undefined;

  private constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => this.onEnd());
    if (head.length > 0) setImmediate(() => this.#take(head));
  }

  static open(url: string): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const asked = request(url, {
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': randomBytes(16).toString('base64'),
        },
      });
      asked.on('upgrade', (_, socket, head) => resolve(new Wire(socket as Socket, head)));
      asked.on('response', (answer) => {
        answer.resume();
        reject(new NotOpened(answer.statusCode ?? 0));
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  send(text: string): void {
    this.#socket.write(frame(TEXT, Buffer.from(text)));
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#left = this.#left.length === 0 ? bytes : Buffer.concat([this.#left, bytes]);
    for (;;) {
      const size = this.#frame();
      if (size === undefined) return;
      this.#left = this.#left.subarray(size);
    }
  }

  /** Works on the first frame, if it is there whole, and gives its size. */
  #frame(): number | undefined {
    const left = this.#left;
    if (left.length < 2) return undefined;
    const short = left.readUInt8(1) & 0x7f;
    const head = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (left.length < head) return undefined;
    const length =
      short === 127
        ? Number(left.readBigUInt64BE(2))
        : short === 126
          ? left.readUInt16BE(2)
          : short;
    if (left.length < head + length) return undefined;
    const payload = left.subarray(head, head + length);
    const first = left.readUInt8(0);
    const kind = first & 0x0f;
    if (kind === CLOSE) this.#socket.destroy();
    else if (kind === PING) this.#socket.write(frame(PONG, payload));
    else if (kind !== PONG) {
      this.#parts.push(Buffer.from(payload));
      if ((first & FINAL) !== 0) {
        const text = Buffer.concat(this.#parts).toString('utf8');
        this.#parts = [];
        this.onText(text);
      }
    }
    return head + length;
  }
}
