/** Elements without a framework: text only ever becomes text, so nothing can be injected. */

type Child = Node | string | undefined;
type Value = string | number | boolean | undefined | ((event: Event) => void);

/** An element with attributes, listeners (`onclick`) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, Value>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** A drawing of one path, for eyes only. */
export function icon(path: string, className = 'icon'): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', className);
  svg.setAttribute('aria-hidden', 'true');
  const drawn = document.createElementNS(SVG, 'path');
  drawn.setAttribute('d', path);
  svg.append(drawn);
  return svg;
}

/** Outlines of the icons, drawn as strokes. */
export const ICONS = {
  check: 'M5 12.5l4.5 4.5L19 7.5',
  warn: 'M12 8.5v5M12 16.8v.2M10.3 4.2 2.9 17a2 2 0 0 0 1.7 3h14.8a2 2 0 0 0 1.7-3L13.7 4.2a2 2 0 0 0-3.4 0Z',
  stop: 'M15 9l-6 6M9 9l6 6M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z',
  info: 'M12 11v5.5M12 7.5v.2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z',
} as const;

/** A QR code as a picture with words for those who do not see it. */
export function qrPicture(rows: readonly (readonly boolean[])[], words: string): SVGSVGElement {
  const side = rows.length + 8;
  const path = rows
    .flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : '')))
    .join('');
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${side} ${side}`);
  svg.setAttribute('class', 'qr');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', words);
  svg.setAttribute('shape-rendering', 'crispEdges');
  const ground = document.createElementNS(SVG, 'rect');
  ground.setAttribute('width', String(side));
  ground.setAttribute('height', String(side));
  ground.setAttribute('class', 'qr-ground');
  const drawn = document.createElementNS(SVG, 'path');
  drawn.setAttribute('d', path);
  drawn.setAttribute('class', 'qr-ink');
  svg.append(ground, drawn);
  return svg;
}

/** A tracking code in its five groups, left to right in every language. */
export function trackerText(tracker: string): HTMLElement {
  const groups = tracker.split('-');
  const parts = groups.flatMap((group, at) => {
    const own = h('span', { class: 'group' }, group);
    return at === 0 ? [own] : [h('span', { class: 'dash' }, '-'), own];
  });
  return h('code', { class: 'tracker', dir: 'ltr', translate: 'no' }, ...parts);
}

/** Gives a file to the person's browser to save. */
export function saveFile(name: string, content: string | Uint8Array, type: string): void {
  const part = typeof content === 'string' ? content : Uint8Array.from(content);
  const address = URL.createObjectURL(new Blob([part], { type }));
  const link = h('a', { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser has taken the file over when the present task is done.
  setTimeout(() => URL.revokeObjectURL(address), 0);
}
