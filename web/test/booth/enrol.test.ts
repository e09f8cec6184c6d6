/** Enrolment in the booth: what the engine makes is what the issuer checks. */

import { expect, it } from 'vitest';
import { Engine } from '../../src/booth/engine.ts';
import { sendAddress } from '../../src/booth/views/enrol.ts';
import { toHex } from '../../src/crypto/bytes.ts';
import { readCode } from '../../src/crypto/code.ts';
import { credentialOfCode } from '../../src/crypto/credential.ts';
import { makeRequest, printRequest } from '../../src/crypto/enrolment.ts';

const ELECTION = '0123456789abcdef'.repeat(2);
const TOKEN = Uint8Array.from({ length: 15 }, (_, at) => at);

it('makes a code of its own each time, and its request', () => {
  const engine = new Engine();
  const made = engine.enrol(TOKEN, ELECTION);
  expect(engine.enrol(TOKEN, ELECTION).code).not.toBe(made.code);
  const id = Uint8Array.from(ELECTION.match(/../g)!, (pair) => Number.parseInt(pair, 16));
  const credential = credentialOfCode(readCode(made.code), id);
  expect(toHex(credential.publicKey)).toBe(made.key);
  const request = makeRequest(TOKEN, id, credential);
  expect([made.request, made.text]).toEqual([toHex(request), printRequest(request)]);
  expect(() => engine.enrol(TOKEN, 'here')).toThrow();
});

it('goes to the issuer by an address of a known kind only', () => {
  const made = { request: '00ff', text: 'A B\n' };
  const to = (issuer: string) => sendAddress(issuer, made);
  expect(to('https://office.example/enrol')).toBe('https://office.example/enrol?r=00ff');
  expect(to('mailto:office@example.org')).toBe('mailto:office@example.org?body=A%20B%0A');
  for (const wrong of ['', 'office', 'javascript:alert(1)', 'data:text/html,x']) {
    expect(to(wrong)).toBeUndefined();
  }
});
