/** Numbers, times and spans in the reader's language; one formatter for all pages. */

import { useTranslation } from 'react-i18next';

/** Minutes since 1970 UTC, as the ledger has them, in milliseconds. */
export function minutesToMs(minutes: number): number {
  return 60_000 * minutes;
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** The two largest units of a span: "2 days 3 hours", "41 seconds". */
export function span(ms: number, language: string): string {
  let left = Math.max(0, Math.round(ms / 1000));
  const parts: string[] = [];
  for (const [unit, seconds] of UNITS) {
    const count = Math.floor(left / seconds);
    left -= count * seconds;
    if (count === 0 && (parts.length === 0 ? unit !== 'second' : true)) {
      if (parts.length > 0) break;
      continue;
    }
    const format = new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' });
    parts.push(format.format(count));
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

/** The viewer's own time zone. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

export interface Formats {
  readonly language: string;
  number(value: number | bigint): string;
  /** A share of the whole, with one digit behind the point. */
  percent(part: number, whole: number): string;
  span(ms: number): string;
  /** Day and time in a zone, the zone named. */
  time(ms: number, zone?: string): string;
  /** Day and time in the viewer's zone, with seconds, short. */
  stamp(ms: number): string;
  /** The same without seconds, for stamps of the ledger. */
  minute(ms: number): string;
  bytes(value: number): string;
}

/** The viewer's own variant of the language, since days and months are written differently. */
function localeOf(language: string): string {
  const own = globalThis.navigator?.languages ?? [];
  return own.find((tag) => tag.startsWith(`${language}-`)) ?? language;
}

export function formatsFor(language: string, locale = localeOf(language)): Formats {
  return {
    language,
    number: (value) => new Intl.NumberFormat(language).format(value),
    percent: (part, whole) =>
      new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 }).format(
        whole === 0 ? 0 : part / whole,
      ),
    span: (ms) => span(ms, language),
    time: (ms, zone = ownZone()) =>
      new Intl.DateTimeFormat(locale, {
        weekday: 'short',
        year: 'numeric',
        month: 'short',
        day: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        timeZone: zone,
        timeZoneName: 'short',
      }).format(ms),
    stamp: (ms) =>
      new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'medium' }).format(ms),
    minute: (ms) =>
      new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'short' }).format(ms),
    bytes: (value) => {
      const steps = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;
      const step = Math.min(3, Math.floor(Math.log10(Math.max(1, value)) / 3));
      return new Intl.NumberFormat(language, {
        style: 'unit',
        unit: steps[step] ?? 'byte',
        unitDisplay: 'short',
        maximumFractionDigits: 1,
      }).format(value / 1000 ** step);
    },
  };
}

export function useFormats(): Formats {
  const { i18n } = useTranslation();
  return formatsFor(i18n.language);
}
