/** Everything of a definition but its questions. */

import { useTranslation } from 'react-i18next';
import { Card } from '../ui/ui.tsx';
import {
  CheckField,
  ChoiceField,
  LinesField,
  NumberField,
  TextField,
  TimeField,
} from './fields.tsx';
import { type ElectionForm, linesOf } from './form.ts';

interface Props {
  readonly form: ElectionForm;
  readonly onChange: (with_: Partial<ElectionForm>) => void;
}

export function Basics({ form, onChange }: Props) {
  const { t } = useTranslation('admin');
  return (
    <Card title={t('create.basics')}>
      <TextField
        label={t('create.name')}
        value={form.title}
        onValue={(title) => onChange({ title })}
      />
      <TextField
        label={t('create.domain')}
        hint={t('create.domainText')}
        isCode
        value={form.domain}
        onValue={(domain) => onChange({ domain })}
      />
      <div className="q-grid">
        <TimeField
          label={t('create.opens')}
          value={form.opens}
          onValue={(opens) => onChange({ opens })}
        />
        <TimeField
          label={t('create.closes')}
          value={form.closes}
          onValue={(closes) => onChange({ closes })}
        />
        {form.closes !== undefined && (
          <TimeField
            label={t('create.extendable')}
            value={form.extendableUntil}
            onValue={(extendableUntil) => onChange({ extendableUntil })}
          />
        )}
      </div>
      <CheckField
        label={t('create.test')}
        value={form.isTest}
        onValue={(isTest) => onChange({ isTest })}
      />
    </Card>
  );
}

export function Groups({ form, onChange }: Props) {
  const { t } = useTranslation('admin');
  const names = linesOf(form.groups);
  const numbered = names.map((name, at) => `${at + 1} = ${name}`).join(', ');
  return (
    <Card title={t('create.groups')}>
      <p className="q-prose">{t('create.groupsText')}</p>
      <LinesField
        label={t('create.groupNames')}
        hint={names.length === 0 ? t('create.noGroups') : numbered}
        value={form.groups}
        onValue={(groups) => onChange({ groups, contests: withKnown(form, groups) })}
      />
    </Card>
  );
}

/** A question is not for a group that is gone. */
function withKnown({ contests }: ElectionForm, groups: string) {
  const known = new Set(linesOf(groups));
  return contests.map((contest) => ({
    ...contest,
    groups: contest.groups.filter((name) => known.has(name)),
  }));
}

export function Trustees({ form, onChange }: Props) {
  const { t } = useTranslation('admin');
  const count = linesOf(form.trustees).length;
  const { threshold } = form;
  return (
    <Card title={t('create.trustees')}>
      <ChoiceField
        label={t('create.secrecy')}
        hint={form.openPoll ? t('create.openPollText') : t('create.trusteesText')}
        value={form.openPoll ? 'open' : 'secret'}
        options={(['secret', 'open'] as const).map((value) => ({
          value,
          text: t(`create.secrecies.${value}`),
        }))}
        onValue={(value) => onChange({ openPoll: value === 'open' })}
      />
      {!form.openPoll && (
        <>
          <LinesField
            label={t('create.trusteeNames')}
            value={form.trustees}
            onValue={(trustees) => onChange({ trustees })}
          />
          <NumberField
            label={t('create.threshold')}
            hint={count > 0 ? t('create.thresholdText', { threshold, count }) : undefined}
            min={1}
            max={Math.max(1, count)}
            value={threshold}
            onValue={(value) => onChange({ threshold: value })}
          />
        </>
      )}
    </Card>
  );
}

export function Rules({ form, onChange }: Props) {
  const { t } = useTranslation('admin');
  return (
    <Card title={t('create.rules')}>
      <CheckField
        label={t('create.revote')}
        value={form.revote}
        onValue={(revote) => onChange({ revote })}
      />
      <CheckField
        label={t('create.rollChanges')}
        value={form.rollChanges}
        onValue={(rollChanges) => onChange({ rollChanges })}
      />
      <CheckField
        label={t('create.paper')}
        value={form.paper}
        onValue={(paper) => onChange({ paper })}
      />
      <CheckField
        label={t('create.smallClasses')}
        value={form.acceptsSmallClasses}
        onValue={(acceptsSmallClasses) => onChange({ acceptsSmallClasses })}
      />
      <div className="q-filters">
        <NumberField
          label={t('create.minimum')}
          hint={t('create.minimumText')}
          min={1}
          value={form.minimumBallots}
          onValue={(minimumBallots) => onChange({ minimumBallots })}
        />
        <ChoiceField
          label={t('create.issuer')}
          hint={t('create.issuerText')}
          value={form.clusterIssues ? 'cluster' : 'separate'}
          options={(['separate', 'cluster'] as const).map((value) => ({
            value,
            text: t(`create.issuers.${value}`),
          }))}
          onValue={(value) => onChange({ clusterIssues: value === 'cluster' })}
        />
      </div>
      <TextField
        label={t('create.booth')}
        hint={t('create.boothText')}
        isCode
        value={form.booth}
        onValue={(booth) => onChange({ booth })}
      />
    </Card>
  );
}
