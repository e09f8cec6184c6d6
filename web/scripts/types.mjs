// Writes the types of the HTTP API from the document that the nodes serve. They are not committed,
// so they are never older than the document.

import { readFileSync, writeFileSync } from 'node:fs';
import openapiTypes, { astToString } from 'openapi-typescript';

const SOURCE = new URL('../../spec/openapi.json', import.meta.url);
const TARGET = new URL('../src/app/api/schema.gen.ts', import.meta.url);

const text = `// Made by scripts/types.mjs from spec/openapi.json.\n${astToString(await openapiTypes(SOURCE))}`;
let before = '';
try {
  before = readFileSync(TARGET, 'utf8');
} catch {
  // The first time.
}
if (before !== text) writeFileSync(TARGET, text);
