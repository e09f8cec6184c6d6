/**
 * A real cluster for tests and for looking at pages: nodes are processes of the built binary on
 * loopback, elections are made by the commands that people would type.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The binary under test; `QUORATE_BINARY` names another one. */
export const BINARY =
  process.env.QUORATE_BINARY ??
  fileURLToPath(new URL('../../target/release/quorate', import.meta.url));

/** Longest wait for nodes and elections to come up, in milliseconds. */
const PATIENCE_MS = 90_000;
const LOOK_MS = 100;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again until there is an answer. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  let last = '';
  while (Date.now() < end) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      last = (error as Error).message;
    }
    await pause(LOOK_MS);
  }
  throw new Error(`${what} did not come; the last failure: ${last}`);
}

/** Ports below those of outgoing connections, held until all are found. */
async function freePorts(count: number): Promise<number[]> {
  const held: { port: number; close: () => Promise<void> }[] = [];
  while (held.length < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
    held.push({ port, close });
  }
  await Promise.all(held.map(({ close }) => close()));
  return held.map(({ port }) => port);
}

interface Node {
  readonly id: number;
  readonly peer: number;
  readonly client: number;
  readonly web: number;
  readonly admin: number;
  child: ChildProcess | undefined;
}

export class Cluster {
  readonly folder: string;
  readonly token: string;
  readonly #nodes: Node[];
  readonly #domain: string;

  private constructor(folder: string, token: string, nodes: Node[], domain: string) {
    [this.folder, this.token, this.#nodes, this.#domain] = [folder, token, nodes, domain];
  }

  /** Starts nodes and waits until all are ready; browsers know them as hosts of `domain`. */
  static async start(count = 3, domain = 'localhost'): Promise<Cluster> {
    if (!existsSync(BINARY)) throw new Error(`${BINARY} is not there; build it first`);
    const folder = mkdtempSync(join(tmpdir(), 'quorate-e2e-'));
    const token = [...crypto.getRandomValues(new Uint8Array(24))]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('');
    writeFileSync(join(folder, 'token'), `${token}\n`, { mode: 0o600 });
    const ports = await freePorts(4 * count);
    const nodes = Array.from({ length: count }, (_, at): Node => {
      const [peer, client, web, admin] = ports.slice(4 * at, 4 * at + 4);
      return {
        id: at + 1,
        peer: peer!,
        client: client!,
        web: web!,
        admin: admin!,
        child: undefined,
      };
    });
    const cluster = new Cluster(folder, token, nodes, domain);
    for (const node of nodes) cluster.#spawn(node);
    for (const node of nodes) await cluster.#ready(node);
    return cluster;
  }

  #spawn(node: Node): void {
    const { id, peer, client, web, admin } = node;
    const members = this.#nodes.map((one) => `${one.id}=127.0.0.1:${one.peer}`).join(',');
    const log = openSync(join(this.folder, `node-${id}.log`), 'a');
    node.child = spawn(
      BINARY,
      [
        'serve',
        `--node-id=${id}`,
        `--cluster=${members}`,
        `--bind=127.0.0.1:${peer}`,
        `--client=127.0.0.1:${client}`,
        `--web=127.0.0.1:${web}`,
        `--admin=127.0.0.1:${admin}`,
        `--web-origin=${this.origin(id)}`,
        `--data-dir=${join(this.folder, `node-${id}`)}`,
        `--admin-token-file=${join(this.folder, 'token')}`,
      ],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
  }

  async #ready({ id, admin }: Node): Promise<void> {
    await eventually(`node ${id}`, async () => {
      const answer = await fetch(`http://127.0.0.1:${admin}/readyz`);
      return answer.ok ? true : undefined;
    });
  }

  #node(id: number): Node {
    const node = this.#nodes.find((one) => one.id === id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** How a browser reaches a node: each node is a host of its own. */
  origin(id: number): string {
    return `http://n${id}.${this.#domain}:${this.#node(id).web}`;
  }

  /** The nodes as browsers know them. */
  get origins(): string[] {
    return this.#nodes.map(({ id }) => this.origin(id));
  }

  /** Web addresses for programs. */
  get addresses(): string {
    return this.#nodes.map(({ web }) => `http://127.0.0.1:${web}`).join(',');
  }

  /** Kills a node at once. */
  async kill(id: number): Promise<void> {
    const node = this.#node(id);
    const { child } = node;
    node.child = undefined;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Starts a killed node again. */
  async restart(id: number): Promise<void> {
    const node = this.#node(id);
    this.#spawn(node);
    await this.#ready(node);
  }

  /** Runs a command of the binary and gives what it says. */
  async command(...parameters: string[]): Promise<string> {
    const environment = {
      PATH: process.env.PATH ?? '',
      QUORATE_NODES: this.addresses,
      QUORATE_TOKEN_FILE: join(this.folder, 'token'),
    };
    const { stdout } = await run(BINARY, parameters, { env: environment });
    return stdout;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(({ id }) => this.kill(id)));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** An election on a cluster, with the files of the people who hold it. */
export interface Held {
  readonly id: string;
  /** Voters' codes by voter. */
  readonly codes: ReadonlyMap<string, string>;
  readonly folder: string;
}

/** Announces an election and gives its voters codes. */
export async function announce(cluster: Cluster, definition: string, voters = 30): Promise<Held> {
  const folder = mkdtempSync(join(cluster.folder, 'election-'));
  const file = (name: string) => join(folder, name);
  writeFileSync(file('definition.toml'), definition);
  const said = await cluster.command(
    'election',
    'create',
    file('definition.toml'),
    '--admin-key',
    file('admin.key'),
  );
  const id = /\b[0-9a-f]{32}\b/.exec(said)?.[0];
  if (id === undefined) throw new Error(`no election id: ${said}`);
  const rows = Array.from({ length: voters }, (_, at) => `voter-${at + 1}`);
  writeFileSync(file('voters.csv'), `voter_id\n${rows.join('\n')}\n`);
  await cluster.command(
    'issuer',
    'codes',
    '--election',
    id,
    '--roll',
    file('voters.csv'),
    '--out',
    file('issuer'),
  );
  await cluster.command('election', 'roll', id, file('issuer/public-roll.csv'));
  const lines = readFileSync(file('issuer/codes.csv'), 'utf8').trim().split('\n').slice(1);
  const codes = new Map(lines.map((line) => line.split(',').slice(0, 2) as [string, string]));
  return { id, codes, folder };
}

/** A trustee by the command line; `which` is `ceremony` or `tally`. */
export async function trustee(
  cluster: Cluster,
  { id, folder }: Held,
  number: number,
  which: 'ceremony' | 'tally',
): Promise<void> {
  const own = join(folder, `trustee-${number}`);
  mkdirSync(own, { recursive: true });
  const passphrase = join(own, 'passphrase');
  if (!existsSync(passphrase))
    writeFileSync(passphrase, `passphrase of trustee ${number}\n`, { mode: 0o600 });
  await cluster.command(
    'election',
    which,
    id,
    '--trustee',
    String(number),
    '--secret',
    join(own, 'secret'),
    '--passphrase-file',
    passphrase,
  );
}

/** Seals and opens, once the ceremony is there. */
export async function open(cluster: Cluster, { id, folder }: Held): Promise<void> {
  const key = join(folder, 'admin.key');
  await eventually('the opening', async () => {
    await cluster.command('election', 'open', id, '--admin-key', key);
    return true;
  });
}

export async function close(cluster: Cluster, { id, folder }: Held): Promise<void> {
  await cluster.command('election', 'close', id, '--admin-key', join(folder, 'admin.key'));
}

/** An election that takes votes: `trustees` of them hold the ceremony by the command line. */
export async function openElection(
  cluster: Cluster,
  definition: string,
  { voters = 30, trustees = 3 }: { voters?: number; trustees?: number } = {},
): Promise<Held> {
  const held = await announce(cluster, definition, voters);
  const numbers = Array.from({ length: trustees }, (_, at) => at + 1);
  const ceremony = numbers.map((number) => trustee(cluster, held, number, 'ceremony'));
  await Promise.all([...ceremony, open(cluster, held)]);
  return held;
}

/** A small board: one of four with a blank vote, and up to three of six. */
export const BOARD = `
title = "Board of the Lindenhof allotments"
domain = "vote.lindenhof.example"
trustees = ["Tara", "Theo", "Thea"]
threshold = 2
minimum_ballots = 2

[[contests]]
title = "Chair of the board"
kind = "one"
options = ["Ada Lindqvist", "Bruno Keita", "Chiara Novak", "David Okafor"]
blank = true

[[contests]]
title = "Which projects shall we pay for?"
kind = "some"
min = 0
max = 3
options = [
  "A roof over the bicycles", "Benches under the lime trees", "Evening courses in first aid",
  "New lamps along the river", "Repair workshop", "Summer cinema",
]
`;
