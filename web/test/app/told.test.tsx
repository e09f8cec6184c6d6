// @vitest-environment jsdom

/** What a node refuses is told in the reader's language; as the node put it where that is new. */

import '@testing-library/jest-dom/vitest';
import { cleanup, render, screen } from '@testing-library/react';
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { ApiError } from '../../src/app/api/problem.ts';
import app from '../../src/app/i18n/app/fr.ts';
import nodes from '../../src/app/i18n/nodes/fr.ts';
import { Failure } from '../../src/app/ui/ui.tsx';
import { problemOf } from '../../src/booth/nodeError.ts';
import { nodeSays } from '../../src/trustee/texts.ts';

beforeAll(async () => {
  await i18next.use(initReactI18next).init({
    lng: 'fr',
    ns: ['app', 'nodes'],
    defaultNS: 'app',
    resources: { fr: { app, nodes } },
    interpolation: { escapeValue: false },
  });
});

afterEach(cleanup);

function show(code: string, title?: string): void {
  const body = { status: 409, code, detail: 'The node says why.', ...(title && { title }) };
  render(<Failure error={new ApiError(body)} />);
}

test('a code that is known has its sentence, and the node its own words only where they say more', () => {
  show('overloaded', 'Too Many Requests');
  expect(screen.getByText(nodes.problem.overloaded)).toBeInTheDocument();
  expect(screen.queryByText(/The node says why/)).toBeNull();
  cleanup();
  show('too-late', 'Conflict');
  expect(screen.getByText(nodes.refusal['too-late'])).toBeInTheDocument();
  cleanup();
  show('not-now', 'Conflict');
  expect(screen.getByText(nodes.problem['not-now'])).toBeInTheDocument();
  expect(screen.getByText('The node says why.')).toHaveAttribute('lang', 'en');
});

test.each(['new-here', 'constructor', 'a.b', 'app:common', ''])(
  'a code that is not known ("%s") is told by title and detail',
  (code) => {
    show(code, 'Conflict');
    expect(screen.getByText('Conflict: The node says why.')).toHaveAttribute('lang', 'en');
    cleanup();
    show(code);
    expect(screen.getByText('The node says why.')).toHaveAttribute('lang', 'en');
  },
);

test('booth and trustee page read what is there of a problem', async () => {
  const read = (body: object) =>
    problemOf(new Response(JSON.stringify(body), { status: 409, statusText: 'Conflict' }));
  const whole = await read({ code: 'overloaded', title: 'T', detail: 'D.' });
  expect([whole.code, whole.message]).toEqual(['overloaded', 'D.']);
  expect(nodeSays('fr', whole)).toBe(nodes.problem.overloaded);
  const strange = await read({ code: 'new-here', title: 'T' });
  expect(nodeSays('fr', strange)).toBe('T');
  expect(nodeSays('fr', await read({ code: 'constructor', detail: 'D.' }))).toBe('D.');
  const empty = await read({});
  expect([empty.code, empty.message]).toEqual(['unreadable', 'Conflict']);
});
