/** What a node has answered instead of doing something (`application/problem+json`). */

/** A node has answered no. */
export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly status: number;
  /** Stable, kebab-case; `unreadable` when the answer is no problem that can be read. */
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    [this.status, this.code] = [status, code];
  }
}

/** A refusal of a node with whatever can be read of it. */
export async function problemOf(response: Response): Promise<NodeError> {
  try {
    const { code, title, detail } = await response.json();
    const said = detail ?? title ?? response.statusText;
    return new NodeError(response.status, String(code ?? 'unreadable'), String(said));
  } catch {
    return new NodeError(response.status, 'unreadable', response.statusText);
  }
}
