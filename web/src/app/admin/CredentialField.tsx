import { useQuery } from '@tanstack/react-query';
import { useId, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Bytes, fromHex, toHex } from '../../crypto/bytes.ts';
import type { Schemas } from '../api/client.ts';
import type { Election } from '../election/useElection.ts';
import { useFormats } from '../ui/format.ts';
import { type Reading, readCredential } from './credentialText.ts';
import { askCredential } from './giveOrder.ts';

/** A key that is being typed. */
export interface Typed {
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly reading: Reading;
  readonly key: Bytes | undefined;
}

/** A key of somebody on the roll, who may give the code instead, or a new one. */
export function useCredential(election: Election, whose: 'voter' | 'newcomer'): Typed {
  const [text, onText] = useState('');
  const id = whose === 'voter' ? election.id : undefined;
  const reading = useMemo(
    () => readCredential(text, id === undefined ? undefined : fromHex(id)),
    [text, id],
  );
  return { text, onText, reading, key: reading.kind === 'key' ? reading.key : undefined };
}

interface Props {
  readonly election: Election;
  readonly whose: 'voter' | 'newcomer';
  readonly label: string;
  readonly typed: Typed;
}

/** Takes a key, says what is wrong with it, and what the node knows about it. */
export function CredentialField({ election, whose, label, typed }: Props) {
  const { t } = useTranslation('admin');
  const { t: common } = useTranslation();
  const id = useId();
  const [isLeft, setLeft] = useState(false);
  const { text, onText, reading } = typed;
  const wrong =
    reading.kind === 'wrong'
      ? t(`credential.problem.${reading.code}`, reading.values)
      : reading.kind === 'wrong-code'
        ? common(`code.${reading.code}`)
        : undefined;
  const isTold = isLeft && wrong !== undefined;
  return (
    <div className="q-field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="q-input q-mono"
        value={text}
        maxLength={500}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        aria-invalid={isTold}
        aria-describedby={isTold ? `${id}-hint ${id}-wrong` : `${id}-hint`}
        onChange={({ target }) => onText(target.value)}
        onFocus={() => setLeft(false)}
        onBlur={() => setLeft(true)}
      />
      <span className="q-muted q-small" id={`${id}-hint`}>
        {t(`credential.hint.${whose}`)}
      </span>
      {isTold && (
        <p className="q-error" id={`${id}-wrong`} role="alert">
          {wrong}
        </p>
      )}
      <KnownAs election={election} whose={whose} credential={typed.key} />
    </div>
  );
}

interface KnownProps extends Pick<Props, 'election' | 'whose'> {
  readonly credential: Bytes | undefined;
}

/** Read out when the node has answered; a node that does not know it says so when it is asked. */
function KnownAs({ election, whose, credential }: KnownProps) {
  const { t } = useTranslation('admin');
  const { number } = useFormats();
  const { id, definition } = election;
  const hex = credential === undefined ? '' : toHex(credential);
  const asked = useQuery({
    queryKey: ['elections', id, 'credential', hex],
    queryFn: () => askCredential(id, fromHex(hex) as Bytes),
    enabled: hex !== '',
  });
  const groups = definition?.groups ?? [];
  const tell = (known: Schemas['Credential']) => {
    const { weight, group } = known;
    const name = groups[group - 1] ?? t('roll.default.group');
    const more = { weight: number(weight), group: name };
    if (whose === 'newcomer') return t(`credential.newcomer.${known.on_roll ? 'known' : 'absent'}`);
    return t(`credential.voter.${standingOf(known)}`, more);
  };
  return (
    <p className="q-small" role="status">
      {asked.data !== undefined && tell(asked.data)}
    </p>
  );
}

function standingOf({ on_roll, barred, last }: Schemas['Credential']): string {
  if (!on_roll) return 'absent';
  return barred ?? (last === null ? 'silent' : 'voted');
}
