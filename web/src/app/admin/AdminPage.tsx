import { useTranslation } from 'react-i18next';
import { RequireAccount } from '../account/RequireAccount.tsx';
import { ListPage } from '../elections/ListPage.tsx';

/** Everything that needs an account. */
export function AdminPage() {
  const { t } = useTranslation();
  return (
    <RequireAccount title={t('shell.admin')}>
      <ListPage />
    </RequireAccount>
  );
}
