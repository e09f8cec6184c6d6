/** The booth begins: words, nodes, an election, and a ballot that may be under way. */

import { App } from './app.ts';
import { confirmReceipt, loadElection } from './keys.ts';
import { Nodes } from './nodes.ts';
import { remoteEngine } from './remote.ts';
import { Store } from './store.ts';
import { loadWords, warmWords } from './texts.ts';
import { receiptView, startSending } from './views/casting.ts';
import { enrolView } from './views/enrol.ts';
import { electionsView, enterElection, failureView, loadingView } from './views/start.ts';
import { preferred } from './words.ts';

interface Address {
  readonly election: string;
  readonly code: string;
  /** For enrolment, and where enrolments are taken. */
  readonly token: string;
  readonly issuer: string;
}

/**
 * Election and code of the address (`#e=…&c=…`), or election, token and issuer (`#e=…&t=…&i=…`);
 * code and token leave the address bar at once.
 */
function readAddress(): Address {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const election = (fragment.get('e') ?? '').toLowerCase();
  const code = fragment.get('c') ?? '';
  const [token, issuer] = [fragment.get('t') ?? '', fragment.get('i') ?? ''];
  if (code !== '' || token !== '')
    history.replaceState(null, '', `${location.pathname}#e=${election}`);
  return { election: /^[0-9a-f]{32}$/.test(election) ? election : '', code, token, issuer };
}

/** Goes on with the ballot that this tab has kept, if any. */
async function goOn(app: App, hasCode: boolean): Promise<boolean> {
  const kept = app.store.read();
  // A link with a code is somebody who wants to vote now; a ballot under way comes first.
  if (kept === undefined || (hasCode && kept.receipt !== undefined)) return false;
  const { election, ballot, tracker, receipt } = kept;
  app.facts = await loadElection(app.nodes, app.engine, election);
  app.sending = { ballot, tracker, replaces: false };
  if (receipt === undefined) {
    startSending(app);
    return true;
  }
  const confirmed = await confirmReceipt(app.nodes, app.engine, election, receipt, ballot);
  app.receipt = { text: receipt, confirmed };
  app.show(receiptView);
  return true;
}

async function enter(app: App, address: Address): Promise<void> {
  if (address.token !== '' && address.election !== '') {
    return app.show(enrolView(address.election, address.token, address.issuer));
  }
  try {
    app.show(loadingView);
    await app.nodes.discover();
    if (await goOn(app, address.code !== '')) return;
    if (address.election !== '') return await enterElection(app, address.election, address.code);
    const elections = await app.nodes.elections();
    const [only, ...others] = elections.filter(({ phase }) => phase === 'open');
    if (only !== undefined && others.length === 0) {
      return await enterElection(app, only.id, address.code);
    }
    app.show(electionsView(elections, (id) => enterElection(app, id, address.code)));
  } catch (error) {
    app.show(failureView(error, () => enter(app, address)));
  }
}

async function start(): Promise<void> {
  const root = document.querySelector<HTMLElement>('#booth');
  if (root === null) return;
  const address = readAddress();
  const words = await loadWords(preferred(navigator.languages));
  const nodes = new Nodes(location.origin, (to, init) => fetch(to, init));
  const app = new App(root, nodes, remoteEngine(), new Store(sessionStorage), words);
  globalThis.addEventListener('hashchange', () => location.reload());
  await enter(app, address);
  await warmWords();
}

void start();
