import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useSession } from '../api/useSession.ts';
import { Card, Loading } from '../ui/ui.tsx';
import { LoginForm } from './LoginPage.tsx';

/** Shows what needs an account, or the way to sign in right here. */
export function RequireAccount({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useTranslation();
  const state = useSession();
  if (state.kind === 'unknown') return <Loading />;
  if (state.kind === 'somebody') return children;
  return (
    <div className="q-narrow q-stack">
      <h1>{title}</h1>
      <p className="q-lead">{state.ended ? t('login.ended') : t('login.needed')}</p>
      <Card>
        <LoginForm to={location.pathname + location.search} />
      </Card>
    </div>
  );
}
