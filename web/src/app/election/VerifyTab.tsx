import { useMutation } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { verifyInWorker } from '../../verify/browser.ts';
import type { Report } from '../../verify/report.ts';
import { fetchBytes } from '../api/client.ts';
import { ApiError } from '../api/problem.ts';
import { CodeBlock } from '../ui/CopyButton.tsx';
import { useFormats } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { saveAs } from '../ui/save.ts';
import { Card, Failure, Notice, Tag } from '../ui/ui.tsx';
import { useElectionId } from './useElection.ts';

type Step =
  | { readonly kind: 'fetching'; readonly loaded: number; readonly total: number | undefined }
  | { readonly kind: 'checking'; readonly done: number; readonly all: number };

/** All checks in this browser, or with a program of one's own. */
export function VerifyTab() {
  const { t } = useTranslation();
  const id = useElectionId();
  const base = `/api/v1/elections/${id}`;
  const command = [
    `curl -O ${new URL(`${base}/archive`, location.origin)}`,
    'quorate verify archive --trust TRUST-FILE',
  ].join('\n');
  return (
    <div className="q-stack">
      <p className="q-lead">{t('verify.lead')}</p>
      <InBrowser id={id} />
      <Card title={t('verify.yourself')}>
        <p>{t('verify.yourselfText')}</p>
        <CodeBlock text={command} />
        <div className="q-row">
          <a className="q-button" href={`${base}/archive`} download={`${id}.archive`}>
            <Icon name="download" /> {t('verify.archive')}
          </a>
          <a className="q-button" href={`${base}/trust`} download={`${id}.trust`}>
            <Icon name="download" /> {t('verify.trust')}
          </a>
        </div>
        <p className="q-muted q-small">{t('verify.trustText')}</p>
      </Card>
    </div>
  );
}

function InBrowser({ id }: { readonly id: string }) {
  const { t } = useTranslation();
  const field = useId();
  const [step, setStep] = useState<Step>();
  const [file, setFile] = useState<File>();
  const check = useMutation({
    mutationFn: async () => {
      const base = `/api/v1/elections/${id}`;
      const archive = await fetchBytes(`${base}/archive`, (loaded, total) =>
        setStep({ kind: 'fetching', loaded, total }),
      );
      const trust = file === undefined ? await nodeTrust(`${base}/trust`) : await file.text();
      return await verifyInWorker(archive, trust ?? '', ({ done, total }) =>
        setStep({ kind: 'checking', done, all: total }),
      );
    },
    onSettled: () => setStep(undefined),
  });
  return (
    <Card title={t('verify.here')}>
      <p>{t('verify.hereText')}</p>
      <div className="q-field">
        <label htmlFor={field}>{t('verify.ownTrust')}</label>
        <input
          id={field}
          type="file"
          className="q-file"
          onChange={({ target }) => setFile(target.files?.[0])}
        />
        <span className="q-muted q-small">{t('verify.ownTrustText')}</span>
      </div>
      <div>
        <button
          type="button"
          className="q-button"
          data-kind="primary"
          disabled={check.isPending}
          onClick={() => check.mutate()}
        >
          {t('verify.run')}
        </button>
      </div>
      {check.isPending && <Progress step={step} />}
      {check.isError && <CheckFailure error={check.error} />}
      {check.data !== undefined && (
        <ReportView report={check.data} hasOwnTrust={file !== undefined} id={id} />
      )}
    </Card>
  );
}

/** The keys as this node tells them; a node without a manifest has none. */
async function nodeTrust(path: string): Promise<string | null> {
  try {
    return new TextDecoder().decode(await fetchBytes(path));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

function CheckFailure({ error }: { readonly error: unknown }) {
  const { t } = useTranslation();
  if (error instanceof ApiError && error.status === 404) {
    return <Notice>{t('verify.nothing')}</Notice>;
  }
  return <Failure error={error} />;
}

function Progress({ step }: { readonly step: Step | undefined }) {
  const { t } = useTranslation();
  const format = useFormats();
  const value = step?.kind === 'checking' ? step.done : step?.loaded;
  const max = step?.kind === 'checking' ? step.all : step?.total;
  const text =
    step?.kind === 'checking'
      ? t('verify.checking', { done: format.number(step.done), all: format.number(step.all) })
      : t('verify.fetching', { loaded: format.bytes(step?.loaded ?? 0) });
  return (
    <div className="q-stack-s" role="status">
      <progress className="q-progress" aria-label={text} value={max && value} max={max ?? 1} />
      <span className="q-small">{text}</span>
    </div>
  );
}

const VERDICT_TONES = {
  verified: 'good',
  'not-verified': 'bad',
  'not-anchored': 'warn',
  'could-not-check': 'warn',
} as const;

interface ReportProps {
  readonly report: Report;
  readonly hasOwnTrust: boolean;
  readonly id: string;
}

function ReportView({ report, hasOwnTrust, id }: ReportProps) {
  const { t } = useTranslation();
  const tones = { ok: 'good', failed: 'bad', 'not-made': 'plain' } as const;
  const isVerified = report.verdict === 'verified';
  return (
    <>
      <Notice
        tone={VERDICT_TONES[report.verdict]}
        title={t(`verify.verdict.${report.verdict}`)}
        alert
      >
        {isVerified ? (
          <p>{t(hasOwnTrust ? 'verify.anchored' : 'verify.nodeTrust')}</p>
        ) : (
          <p>
            {report.check !== null && t('verify.at', { check: report.check })} {report.sentence}
          </p>
        )}
      </Notice>
      <ol className="q-checks">
        {report.checks.map(({ number, title, finding, detail }) => (
          <li key={number}>
            <Tag tone={tones[finding]}>{t(`verify.finding.${finding}`)}</Tag>
            <span>
              <strong>{t(`verify.check.${number}`, { defaultValue: title })}</strong>
              <span className="q-muted q-small">{detail}</span>
            </span>
          </li>
        ))}
      </ol>
      <div>
        <button
          type="button"
          className="q-button"
          data-size="s"
          onClick={() =>
            saveAs(`${id}.report.json`, JSON.stringify(report, null, 2), 'application/json')
          }
        >
          <Icon name="download" size={17} /> {t('verify.report')}
        </button>
      </div>
    </>
  );
}
