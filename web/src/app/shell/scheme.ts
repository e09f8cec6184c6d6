/** Light or dark, kept in the browser under the name that `public/scheme.js` reads. */

import { localStorageColorSchemeManager } from '@mantine/core';

export const schemeManager = localStorageColorSchemeManager({ key: 'quorate.scheme' });
