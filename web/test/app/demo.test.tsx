// @vitest-environment jsdom

import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { useDemo } from '../../src/app/cluster/demo/useDemo.ts';

/** A supervisor that takes its time with what is chosen, and says meanwhile what was before. */
class Supervisor {
  settings = { load_per_second: 20, tour: false, script: false };
  asked = 0;
  readonly puts: ((status: number) => void)[] = [];

  readonly answer = async (request: Request): Promise<Response> => {
    if (request.method === 'PUT') {
      const change = (await request.json()) as object;
      const status = await new Promise<number>((resolve) => this.puts.push(resolve));
      if (status !== 200) return this.#say(status, { status, code: 'x', detail: 'Not now.' });
      this.settings = { ...this.settings, ...change };
    } else this.asked += 1;
    return this.#say(200, { nodes: [], settings: this.settings });
  };

  #say(status: number, body: object): Response {
    const headers = { 'content-type': 'application/json' };
    return new Response(JSON.stringify(body), { status, headers });
  }
}

function Rates() {
  const { view, choose, refused } = useDemo();
  return (
    <>
      {[20, 200, 500].map((rate) => (
        <input
          key={rate}
          type="radio"
          aria-label={String(rate)}
          checked={view?.settings.load_per_second === rate}
          onChange={() => choose({ load_per_second: rate })}
        />
      ))}
      <output>{refused === undefined ? 'fine' : 'refused'}</output>
    </>
  );
}

async function shown(): Promise<Supervisor> {
  const supervisor = new Supervisor();
  vi.stubGlobal('fetch', supervisor.answer);
  render(
    <QueryClientProvider client={new QueryClient()}>
      <Rates />
    </QueryClientProvider>,
  );
  await waitFor(() => expect(isChosen(20)).toBe(true));
  return supervisor;
}

const radio = (rate: number) => screen.getByLabelText<HTMLInputElement>(String(rate));
const isChosen = (rate: number) => radio(rate).checked;

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe('what is chosen for the demonstration', () => {
  it('is shown at once, and stays while the supervisor still says what was before', async () => {
    const supervisor = await shown();
    fireEvent.click(radio(200));
    expect(isChosen(200)).toBe(true);
    const before = supervisor.asked;
    await waitFor(() => expect(supervisor.asked).toBeGreaterThan(before + 1), { timeout: 5000 });
    expect(isChosen(200)).toBe(true);
    supervisor.puts[0]!(200);
    await waitFor(() => expect(supervisor.settings.load_per_second).toBe(200));
    expect(isChosen(200)).toBe(true);
  });

  it('is the last choice, whatever is answered to the ones before', async () => {
    const supervisor = await shown();
    fireEvent.click(radio(200));
    fireEvent.click(radio(500));
    await waitFor(() => expect(supervisor.puts).toHaveLength(2));
    supervisor.puts[0]!(200);
    await waitFor(() => expect(supervisor.settings.load_per_second).toBe(200));
    const before = supervisor.asked;
    await waitFor(() => expect(supervisor.asked).toBeGreaterThan(before), { timeout: 5000 });
    expect(isChosen(500)).toBe(true);
  });

  it('is what was before when the supervisor refuses', async () => {
    const supervisor = await shown();
    fireEvent.click(radio(200));
    await waitFor(() => expect(supervisor.puts).toHaveLength(1));
    supervisor.puts[0]!(503);
    await screen.findByText('refused');
    await waitFor(() => expect(isChosen(20)).toBe(true));
  });
});
