/** Codes, credentials and signatures, as Rust judges them. */

import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/crypto/bytes.ts';
import { CodeError, printCode, readCode } from '../../src/crypto/code.ts';
import { credentialOfCode } from '../../src/crypto/credential.ts';
import { makeRequest, printRequest, tokenName } from '../../src/crypto/enrolment.ts';
import { framed } from '../../src/crypto/hash.ts';
import { randomWeight } from '../../src/crypto/proof.ts';
import {
  checkSignature,
  claimsHold,
  PublicKey,
  readSignature,
  sign,
} from '../../src/crypto/signature.ts';
import { hex, readVectors } from './read.ts';

interface Codes {
  readonly valid: {
    bits: string;
    code: string;
    election_id: string;
    public_key: string;
    typed: string;
  }[];
  readonly invalid: { code: string; sentence: string; typed: string }[];
}

describe('codes', () => {
  const { valid, invalid } = readVectors<Codes>('ballot-codes');

  it.each(valid)('$code', ({ bits, code, election_id, public_key, typed }) => {
    expect(printCode(hex(bits))).toBe(code);
    expect(toHex(readCode(typed))).toBe(bits);
    expect(toHex(readCode(code.replaceAll('-', '')))).toBe(bits);
    const credential = credentialOfCode(hex(bits), hex(election_id));
    expect(toHex(credential.publicKey)).toBe(public_key);
  });

  it.each(invalid)('$typed: $code', ({ code, sentence, typed }) => {
    const error = (() => {
      try {
        return readCode(typed);
      } catch (error) {
        return error;
      }
    })();
    expect(error).toBeInstanceOf(CodeError);
    expect((error as CodeError).code).toBe(code);
    expect((error as CodeError).message).toBe(sentence);
  });
});

interface Enrolments {
  readonly valid: {
    code: string;
    election_id: string;
    public_key: string;
    request: string;
    text: string;
    token: string;
    token_name: string;
  }[];
}

describe('enrolments', () => {
  const { valid } = readVectors<Enrolments>('ballot-enrolment');

  it.each(valid)('with $token', (vector) => {
    const election = hex(vector.election_id);
    const token = readCode(vector.token);
    expect(toHex(tokenName(token, election))).toBe(vector.token_name);
    const credential = credentialOfCode(readCode(vector.code), election);
    expect(toHex(credential.publicKey)).toBe(vector.public_key);
    const request = makeRequest(token, election, credential);
    expect(toHex(request)).toBe(vector.request);
    expect(printRequest(request)).toBe(vector.text);
  });
});

interface Signatures {
  readonly seed_of_valid: string;
  readonly signatures: {
    expect: string;
    message: string;
    name: string;
    public_key: string;
    signature: string;
    tag: string;
  }[];
}

describe('signatures', () => {
  const { seed_of_valid, signatures } = readVectors<Signatures>('ballot-signatures');

  it('are made as RFC 8032 says', () => {
    const { tag, message, signature } = signatures.find(({ name }) => name === 'valid')!;
    expect(toHex(sign(hex(seed_of_valid), tag, hex(message)))).toBe(signature);
  });

  it.each(signatures)('$name: $expect', (vector) => {
    const key = PublicKey.read(hex(vector.public_key));
    if (typeof key === 'string') {
      expect(key).toBe(vector.expect);
      return;
    }
    const [message, signature] = [hex(vector.message), hex(vector.signature)];
    const fault = checkSignature(key, vector.tag, message, signature);
    expect(fault ?? 'ok').toBe(vector.expect);
    const parts = readSignature(signature);
    if (parts === undefined) return;
    const claim = { key, parts, signed: framed(vector.tag, message) };
    expect(claimsHold([claim, claim], randomWeight)).toBe(vector.expect === 'ok');
  });
});
