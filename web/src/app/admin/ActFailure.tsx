import { useTranslation } from 'react-i18next';
import { Failure, Notice } from '../ui/ui.tsx';
import { SealError } from './seal.ts';

/** Why something signed here was not done: this page found it out, or a node has refused it. */
export function ActFailure({ error }: { readonly error: unknown }) {
  const { t } = useTranslation('admin');
  if (!(error instanceof SealError)) return <Failure error={error} />;
  return (
    <Notice tone="bad" alert>
      {t(`sealProblem.${error.code}`)}
    </Notice>
  );
}
