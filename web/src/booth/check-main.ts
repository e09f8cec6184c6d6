/** The check page begins: words, nodes, and what the address asks for. */

import { CheckPage, ofFragment } from './check.ts';
import { Nodes } from './nodes.ts';
import { remoteEngine } from './remote.ts';
import { loadWords } from './texts.ts';
import { preferred } from './words.ts';

async function start(): Promise<void> {
  const root = document.querySelector<HTMLElement>('#check');
  if (root === null) return;
  const fragment = new URLSearchParams(location.hash.slice(1));
  const [name] = ['o', 't'].filter((key) => fragment.has(key));
  const wanted = name === undefined ? undefined : ofFragment(name, fragment.get(name) ?? '');
  // An opening shows a choice: it does not stay in the address bar or the history.
  if (name !== undefined) history.replaceState(null, '', location.pathname);
  const words = await loadWords(preferred(navigator.languages));
  const nodes = new Nodes(location.origin, (to, init) => fetch(to, init));
  const page = new CheckPage(root, nodes, remoteEngine(), words);
  page.start(wanted, fragment.get('e') ?? '');
  globalThis.addEventListener('hashchange', () => location.reload());
}

void start();
