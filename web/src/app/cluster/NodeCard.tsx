import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '../ui/format.ts';
import { Told } from '../ui/Told.tsx';
import { Tag, type Tone } from '../ui/ui.tsx';
import type { DemoNode, NodeView } from './types.ts';
import { shortSpan } from './words.ts';

const TONES: Record<NodeView['state'], Tone> = {
  healthy: 'good',
  slow: 'warn',
  draining: 'warn',
  unreachable: 'bad',
  stopped: 'plain',
};

interface NodeCardProps {
  readonly node: NodeView;
  /** By the judging node's clock. */
  readonly nowMs: number;
  /** How much older the view is than its own ages say. */
  readonly extraAgeMs: number;
  readonly demo?: DemoNode | undefined;
  /** Actions below. */
  readonly children?: ReactNode;
}

/** One node: what it is, how it is and why, and its figures with their age. */
export function NodeCard({ node, nowMs, extraAgeMs, demo, children }: NodeCardProps) {
  const { t } = useTranslation('cluster');
  const { last } = node;
  const ageMs = node.age_ms === null ? null : node.age_ms + extraAgeMs;
  const isAway = node.state === 'unreachable' || node.state === 'stopped';
  const marks = demo === undefined ? [] : marksOf(demo);
  return (
    <article
      className="c-node q-card"
      data-state={node.state}
      data-leads={node.is_leader || undefined}
      aria-labelledby={`node-${node.node}`}
    >
      <header className="c-node-head">
        <h2 id={`node-${node.node}`}>
          <span className="c-number">{node.node}</span>
          <span className="c-name">{last?.name ?? t('node.name', { node: node.node })}</span>
        </h2>
        <div className="c-tags">
          {node.is_leader && <Tag tone="accent">{t('role.leader')}</Tag>}
          {!node.is_leader && last !== null && !isAway && (
            <Tag>{t(`role.${last.role}`, { defaultValue: last.role })}</Tag>
          )}
          <Tag tone={TONES[node.state]}>
            {t(`state.${node.state}`)}
            {isAway && ageMs !== null && ` · ${shortSpan(ageMs)}`}
          </Tag>
          {marks.map((mark) => (
            <Tag key={mark} tone="bad">
              {t(`mark.${mark}`)}
            </Tag>
          ))}
        </div>
      </header>
      {node.reasons.length > 0 && (
        <ul className="c-reasons">
          {node.reasons.map((reason) => (
            <li key={reason.code}>
              <Told family="reason" {...reason} />
            </li>
          ))}
        </ul>
      )}
      <Figures node={node} nowMs={nowMs} />
      <p className="c-age">
        {ageMs === null ? t('node.never') : t('node.age', { age: shortSpan(ageMs) })}
      </p>
      {children}
    </article>
  );
}

/** What the supervisor has done to it. */
export function marksOf(demo: DemoNode): string[] {
  const marks: string[] = [];
  if (demo.process !== 'running') marks.push(demo.process);
  if (demo.cut_in && demo.cut_out) marks.push('cut');
  else if (demo.cut_in) marks.push('cut-in');
  else if (demo.cut_out) marks.push('cut-out');
  if (demo.disk_delay_ms > 0) marks.push('slow-disk');
  return marks;
}

type Row = readonly [name: string, value: string];

function Figures({ node, nowMs }: { node: NodeView; nowMs: number }) {
  const { t } = useTranslation('cluster');
  const { number, bytes, percent } = useFormats();
  const { last } = node;
  if (last === null) return null;
  const ms = (value: number) => `${number(Math.round(value * 10) / 10)} ms`;
  const lag = node.is_leader ? 0 : node.lag;
  const free = last.disk_total_bytes === 0 ? 0 : last.disk_free_bytes;
  const main: Row[] = [
    [t('figure.lag'), lag === null ? '–' : number(lag)],
    [t('figure.commit'), number(last.commit)],
    [t('figure.applied'), number(last.applied)],
  ];
  const more: Row[] = [
    [t('figure.p50'), last.commits === undefined ? '–' : ms(last.commits.p50_ms)],
    [t('figure.p99'), last.commits === undefined ? '–' : ms(last.commits.p99_ms)],
    [t('figure.uptime'), shortSpan(Math.max(0, nowMs - last.started_ms))],
    [t('figure.memory'), bytes(last.memory_bytes)],
    [t('figure.store'), bytes(last.store_bytes)],
    [t('figure.free'), percent(free, last.disk_total_bytes)],
    [t('figure.term'), number(last.term)],
    [t('figure.cpu'), `${number(last.cpu_percent)} %`],
    [t('figure.version'), last.version],
  ];
  return (
    <>
      <dl className="c-figures c-main">
        {main.map(([name, value]) => (
          <div key={name} data-main>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <dl className="c-figures">
        {more.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
