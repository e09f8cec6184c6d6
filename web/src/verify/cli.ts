#!/usr/bin/env node
/**
 * `node build/verify/cli.js verify ARCHIVE [--trust FILE] [--json]`: exit status 0 verified, 1 not
 * verified, 2 wrong usage, 3 could not check or not anchored.
 */

import { open, readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type Policy, PolicyError, parsePolicy } from '../ledger/policy.ts';
import { exitStatus, reportText } from './report.ts';
import type { Source } from './source.ts';
import { type Progress, verify } from './verifier.ts';

const USAGE = 'usage: cli.js verify ARCHIVE [--trust FILE] [--json]\n';
const USAGE_ERROR = 2;
const NOT_CHECKED = 3;

/** Something outside the archive that keeps us from checking it. */
class Failure extends Error {}

async function readTrust(path: string): Promise<Policy> {
  try {
    return parsePolicy(await readFile(path, 'utf8'));
  } catch (error) {
    const what = error instanceof PolicyError ? 'is no trust file' : 'cannot be read';
    throw new Failure(`${path} ${what}: ${(error as Error).message}`);
  }
}

async function openFile(path: string): Promise<Source> {
  try {
    const file = await open(path);
    const { size } = await file.stat();
    const read = async (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
      const { bytesRead } = await file.read(bytes, 0, length, offset);
      if (bytesRead < length) throw new Failure(`${path} became shorter while it was read`);
      return bytes;
    };
    return { size, read };
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${(error as Error).message}`);
  }
}

function showProgress({ done, total }: Progress): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${total} leaves`);
  if (process.stderr.isTTY && done === total) process.stderr.write('\r\x1b[K');
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { trust: { type: 'string' }, json: { type: 'boolean' } },
  });
  const [command, path, ...more] = positionals;
  if (command !== 'verify' || path === undefined || more.length > 0) {
    process.stderr.write(USAGE);
    return USAGE_ERROR;
  }
  const trust = values.trust === undefined ? undefined : await readTrust(values.trust);
  const report = await verify(await openFile(path), trust, showProgress);
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : reportText(report));
  return exitStatus(report);
}

try {
  process.exitCode = await main();
} catch (error) {
  const misused = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ?? false;
  if (!misused && !(error instanceof Failure)) throw error;
  process.stderr.write(`${(error as Error).message}\n${misused ? USAGE : ''}`);
  process.exitCode = misused ? USAGE_ERROR : NOT_CHECKED;
}
