import { useId } from 'react';
import { useTranslation } from 'react-i18next';
import { MAJORITIES, TIES } from '../../election/definition.ts';
import { Icon } from '../ui/icons.tsx';
import { CheckField, ChoiceField, LinesField, NumberField, TextField } from './fields.tsx';
import { type ContestForm, EMPTY_LIST, KINDS, type ListForm, linesOf, mostOf } from './form.ts';

interface Props {
  readonly number: number;
  readonly contest: ContestForm;
  /** Names of the groups of the election. */
  readonly groups: readonly string[];
  readonly onChange: (with_: Partial<ContestForm>) => void;
  readonly onRemove: (() => void) | undefined;
}

/** One question: what is asked, what can be answered, how many may be chosen, what decides. */
export function ContestFields({ number, contest, groups, onChange, onRemove }: Props) {
  const { t } = useTranslation('admin');
  const { kind } = contest;
  const count = linesOf(contest.options).length;
  return (
    <fieldset className="q-fieldset q-stack">
      <legend>{t('create.question', { number })}</legend>
      <TextField
        label={t('create.asked')}
        value={contest.title}
        onValue={(title) => onChange({ title })}
      />
      <ChoiceField
        label={t('create.kind')}
        hint={t(`create.kindText.${kind}`)}
        value={kind}
        options={KINDS.map((value) => ({ value, text: t(`create.kinds.${value}`) }))}
        onValue={(next) =>
          onChange({
            kind: next,
            max: undefined,
            ...(next === 'lists' && contest.lists.length === 0 && { lists: [EMPTY_LIST] }),
          })
        }
      />
      {kind === 'lists' ? (
        <Lists lists={contest.lists} onLists={(lists) => onChange({ lists })} />
      ) : (
        <LinesField
          label={t('create.options')}
          hint={t('create.optionsText', { count })}
          rows={4}
          value={contest.options}
          onValue={(options) => onChange({ options })}
        />
      )}
      <Bounds contest={contest} onChange={onChange} />
      <CheckField
        label={t('create.blank')}
        value={contest.blank}
        onValue={(blank) => onChange({ blank })}
      />
      {groups.length > 0 && (
        <Groups
          all={groups}
          chosen={contest.groups}
          onChosen={(chosen) => onChange({ groups: chosen })}
        />
      )}
      <Decision contest={contest} onChange={onChange} />
      {onRemove !== undefined && (
        <div>
          <button type="button" className="q-button" data-size="s" onClick={onRemove}>
            {t('create.removeQuestion')}
          </button>
        </div>
      )}
    </fieldset>
  );
}

interface PartProps {
  readonly contest: ContestForm;
  readonly onChange: (with_: Partial<ContestForm>) => void;
}

/** How many options, points or candidates. */
function Bounds({ contest, onChange }: PartProps) {
  const { t } = useTranslation('admin');
  const { kind, min, max, highest } = contest;
  if (kind === 'one') return null;
  const most = mostOf(contest);
  return (
    <div className="q-filters">
      {kind === 'score' && (
        <NumberField
          label={t('create.highest')}
          min={1}
          value={highest}
          onValue={(value) => onChange({ highest: value })}
        />
      )}
      <NumberField
        label={t(`create.min.${kind}`)}
        max={most}
        value={min}
        onValue={(value) => onChange({ min: value })}
      />
      <NumberField
        label={t(`create.max.${kind}`)}
        max={most}
        value={max ?? most}
        onValue={(value) => onChange({ max: value })}
      />
    </div>
  );
}

interface ListsProps {
  readonly lists: readonly ListForm[];
  readonly onLists: (lists: readonly ListForm[]) => void;
}

function Lists({ lists, onLists }: ListsProps) {
  const { t } = useTranslation('admin');
  const change = (at: number, with_: Partial<ListForm>) =>
    onLists(lists.map((one, place) => (place === at ? { ...one, ...with_ } : one)));
  return (
    <div className="q-stack-s">
      {lists.map((list, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lists keep their place
        <fieldset className="q-fieldset q-stack-s" key={at}>
          <legend>{t('create.list', { number: at + 1 })}</legend>
          <TextField
            label={t('create.listName')}
            value={list.name}
            onValue={(name) => change(at, { name })}
          />
          <LinesField
            label={t('create.candidates')}
            value={list.candidates}
            onValue={(candidates) => change(at, { candidates })}
          />
          {lists.length > 1 && (
            <div>
              <button
                type="button"
                className="q-button"
                data-size="s"
                onClick={() => onLists(lists.filter((_, place) => place !== at))}
              >
                {t('create.removeList')}
              </button>
            </div>
          )}
        </fieldset>
      ))}
      <div>
        <button
          type="button"
          className="q-button"
          data-size="s"
          onClick={() => onLists([...lists, EMPTY_LIST])}
        >
          <Icon name="plus" /> {t('create.addList')}
        </button>
      </div>
    </div>
  );
}

interface GroupsProps {
  readonly all: readonly string[];
  readonly chosen: readonly string[];
  readonly onChosen: (groups: readonly string[]) => void;
}

function Groups({ all, chosen, onChosen }: GroupsProps) {
  const { t } = useTranslation('admin');
  const id = useId();
  return (
    <fieldset className="q-fieldset q-stack-s" aria-describedby={id}>
      <legend>{t('create.answeredBy')}</legend>
      <span className="q-muted q-small" id={id}>
        {t(chosen.length === 0 ? 'create.answeredByAll' : 'create.answeredBySome')}
      </span>
      <div className="q-row">
        {all.map((name) => (
          <CheckField
            key={name}
            label={name}
            value={chosen.includes(name)}
            onValue={(isChosen) =>
              onChosen(all.filter((one) => (one === name ? isChosen : chosen.includes(one))))
            }
          />
        ))}
      </div>
    </fieldset>
  );
}

/** Seats, quorum, majority, tie: most elections leave them as they are. */
function Decision({ contest, onChange }: PartProps) {
  const { t } = useTranslation('admin');
  const { seats, quorumPercent, majority, tie } = contest;
  return (
    <details>
      <summary>{t('create.decides')}</summary>
      <div className="q-filters q-inset">
        <NumberField
          label={t('create.seats')}
          min={1}
          value={seats}
          onValue={(value) => onChange({ seats: value })}
        />
        <NumberField
          label={t('create.quorum')}
          hint={t('create.quorumText')}
          max={100}
          value={quorumPercent}
          onValue={(value) => onChange({ quorumPercent: value })}
        />
        <ChoiceField
          label={t('create.majority')}
          value={majority}
          options={MAJORITIES.map((value) => ({ value, text: t(`create.majorities.${value}`) }))}
          onValue={(value) => onChange({ majority: value })}
        />
        <ChoiceField
          label={t('create.tie')}
          value={tie}
          options={TIES.map((value) => ({ value, text: t(`create.ties.${value}`) }))}
          onValue={(value) => onChange({ tie: value })}
        />
      </div>
    </details>
  );
}
