import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '../../ui/format.ts';
import { type Line, LiveChart } from '../LiveChart.tsx';
import type { DemoView } from '../types.ts';
import type { Actions } from './useDemo.ts';

/** Writes a second that can be chosen. */
const RATES = [0, 50, 200, 500, 1000] as const;
const KEPT_S = 130;

interface LoadPanelProps {
  readonly demo: DemoView;
  readonly canAct: boolean;
  readonly act: Actions;
}

/** The load generator: as many writes a second as the viewer wants, and what became of them. */
export function LoadPanel({ demo, canAct, act }: LoadPanelProps) {
  const { t } = useTranslation('cluster');
  const { number } = useFormats();
  const { load, settings } = demo;
  const data = useLoadHistory(demo);
  const perSecond = (value: number) => number(Math.round(value));
  const lines: Line[] = [
    { label: t('load.accepted'), color: '--q-accent', fill: true },
    { label: t('load.refused'), color: '--q-bad', dash: [5, 4] },
  ];
  return (
    <section className="c-load" aria-labelledby="load">
      <div className="q-card q-stack-s">
        <h2 id="load">{t('load.title')}</h2>
        <fieldset className="c-rates" disabled={!canAct}>
          <legend>{t('load.rate')}</legend>
          {RATES.map((rate) => (
            <label key={rate}>
              <input
                type="radio"
                name="rate"
                checked={settings.load_per_second === rate}
                onChange={() => act.choose({ load_per_second: rate })}
              />
              <span>{rate === 0 ? t('load.off') : number(rate)}</span>
            </label>
          ))}
        </fieldset>
        <dl className="c-figures">
          <div data-main>
            <dt>{t('load.acceptedNow')}</dt>
            <dd>{perSecond(load.accepted_per_second)}</dd>
          </div>
          <div data-main>
            <dt>{t('load.refusedNow')}</dt>
            <dd>{perSecond(load.refused_per_second)}</dd>
          </div>
          <div data-main>
            <dt>{t('load.p99')}</dt>
            <dd>{load.p99_ms === null ? '–' : `${number(Math.round(load.p99_ms))} ms`}</dd>
          </div>
        </dl>
      </div>
      <LiveChart
        title={t('load.chart')}
        summary={t('load.now', {
          accepted: perSecond(load.accepted_per_second),
          refused: perSecond(load.refused_per_second),
        })}
        lines={lines}
        data={data}
        format={perSecond}
        least={20}
        isStale={false}
      />
    </section>
  );
}

/** Accepted and refused writes a second, one sample for each view of the supervisor. */
function useLoadHistory({ time_ms, load }: DemoView): (number | null)[][] {
  const kept = useRef<(number | null)[][]>([[], [], []]);
  const [data, setData] = useState(kept.current);
  useEffect(() => {
    const now = time_ms / 1000;
    const last = kept.current[0]?.at(-1);
    if (last != null && now <= last) return;
    const row = [now, load.accepted_per_second, load.refused_per_second];
    const first = kept.current[0]?.findIndex((at) => at !== null && at > now - KEPT_S) ?? 0;
    kept.current = kept.current.map((column, place) => [
      ...column.slice(Math.max(0, first)),
      row[place] ?? null,
    ]);
    setData(kept.current);
  }, [time_ms, load]);
  return data;
}
