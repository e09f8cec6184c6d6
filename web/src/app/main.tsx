import '@mantine/core/styles/global.css';
import '@mantine/core/styles/default-css-variables.css';
import './ui/base.css';
import './ui/ui.css';
import { DirectionProvider, MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RETURN_KEY } from './account/LoginPage.tsx';
import { session } from './api/client.ts';
import { queries } from './api/queries.ts';
import { feed } from './feed/useFeed.ts';
import { startTexts } from './i18n/index.ts';
import { router } from './router.tsx';
import { schemeManager } from './shell/scheme.ts';
import { theme } from './theme.ts';

/** The nonce of this answer; what adds a style at run time has to know it. */
const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? '';
setNonce(nonce);

/** Back from the identity provider: to the page that asked for the login. */
function returnFromProvider(): void {
  const path = sessionStorage.getItem(RETURN_KEY);
  sessionStorage.removeItem(RETURN_KEY);
  if (path !== null && location.pathname === '/') router.history.replace(path);
}

/** Whoever logs in or out hears and sees with new rights from then on. */
function followAccount(): void {
  const present = ({ state }: typeof session) =>
    state.kind === 'somebody' ? state.account.name : undefined;
  let before = present(session);
  session.subscribe(() => {
    const name = present(session);
    if (name === before) return;
    before = name;
    feed.restart();
    void queries.invalidateQueries();
  });
}

async function start(): Promise<void> {
  const [holder] = [document.getElementById('root')];
  if (holder === null) return;
  const known = session.start();
  await Promise.all([startTexts(), known]);
  returnFromProvider();
  followAccount();
  feed.start();
  createRoot(holder).render(
    <StrictMode>
      <DirectionProvider>
        <MantineProvider
          theme={theme}
          defaultColorScheme="auto"
          colorSchemeManager={schemeManager}
          getStyleNonce={() => nonce}
        >
          <QueryClientProvider client={queries}>
            <RouterProvider router={router} />
          </QueryClientProvider>
        </MantineProvider>
      </DirectionProvider>
    </StrictMode>,
  );
}

void start();
