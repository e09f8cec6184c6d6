import { useQuery } from '@tanstack/react-query';
import { useId } from 'react';
import { useTranslation } from 'react-i18next';
import { elections } from '../api/queries.ts';
import type { Grant, RoleName } from '../api/session.ts';
import { Tag } from '../ui/ui.tsx';

export const ROLES: readonly RoleName[] = [
  'administrator',
  'election-officer',
  'trustee',
  'auditor',
];

/** What somebody may do, in words. */
export function GrantTags({ grants }: { readonly grants: readonly Grant[] }) {
  const { t } = useTranslation('admin');
  const list = useQuery(elections());
  const nameOf = (id: string) => list.data?.find((one) => one.id === id)?.title ?? id.slice(0, 8);
  if (grants.length === 0) return <span className="q-muted">{t('grants.none')}</span>;
  return (
    <span className="q-row">
      {grants.map(({ role, election }) => (
        <Tag key={`${role}:${election ?? ''}`} tone="accent">
          {t(`role.${role}`)}
          {election !== undefined && `: ${nameOf(election)}`}
        </Tag>
      ))}
    </span>
  );
}

interface FieldsProps {
  readonly grants: readonly Grant[];
  readonly onGrants: (grants: Grant[]) => void;
}

/** Choosing roles, each for one election or for all. */
export function GrantFields({ grants, onGrants }: FieldsProps) {
  const { t } = useTranslation('admin');
  const field = useId();
  const list = useQuery(elections());
  const change = (at: number, grant: Grant) =>
    onGrants(grants.map((one, place) => (place === at ? grant : one)));
  return (
    <fieldset className="q-fieldset q-stack-s">
      <legend>{t('grants.title')}</legend>
      {grants.map((grant, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rights keep their place while edited
        <div className="q-filters" key={at}>
          <div className="q-field">
            <label htmlFor={`${field}-role-${at}`}>{t('grants.role')}</label>
            <select
              id={`${field}-role-${at}`}
              className="q-select q-select-wide"
              value={grant.role}
              onChange={({ target }) => {
                const role = ROLES.find((one) => one === target.value) ?? 'auditor';
                change(at, { ...grant, role });
              }}
            >
              {ROLES.map((role) => (
                <option key={role} value={role}>
                  {t(`role.${role}`)}
                </option>
              ))}
            </select>
          </div>
          <div className="q-field">
            <label htmlFor={`${field}-election-${at}`}>{t('grants.election')}</label>
            <select
              id={`${field}-election-${at}`}
              className="q-select q-select-wide"
              value={grant.election ?? ''}
              onChange={({ target: { value } }) =>
                change(
                  at,
                  value === '' ? { role: grant.role } : { role: grant.role, election: value },
                )
              }
            >
              <option value="">{t('grants.all')}</option>
              {list.data?.map(({ id, title }) => (
                <option key={id} value={id}>
                  {title ?? id}
                </option>
              ))}
            </select>
          </div>
          <button
            type="button"
            className="q-button"
            data-size="s"
            onClick={() => onGrants(grants.filter((_, place) => place !== at))}
          >
            {t('grants.remove')}
          </button>
        </div>
      ))}
      <div>
        <button
          type="button"
          className="q-button"
          data-size="s"
          onClick={() => onGrants([...grants, { role: 'auditor' }])}
        >
          {t('grants.add')}
        </button>
      </div>
    </fieldset>
  );
}
