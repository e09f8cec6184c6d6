/**
 * Workers under Trusted Types: a page that demands them starts a worker only at an address that a
 * policy has passed. The policy passes files of this site's own `/assets/` and nothing else.
 */

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(address: string): string }): unknown;
}

let isReady = false;

/** Only files that were built with this page. */
export function passScript(address: string, origin: string): string {
  const { origin: own, pathname } = new URL(address, origin);
  if (own === origin && /^\/assets\//.test(pathname)) return address;
  throw new TypeError(`no script may come from ${address}`);
}

/** Runs `start`, which makes a worker, where Trusted Types are demanded and where not. */
export function startWorker(start: () => Worker): Worker {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  if (trustedTypes !== undefined && !isReady) {
    isReady = true;
    const createScriptURL = (address: string) => passScript(address, location.origin);
    trustedTypes.createPolicy('default', { createScriptURL });
  }
  return start();
}
