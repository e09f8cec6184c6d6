/** The trustee's page begins. */

import { preferred, Words } from '../booth/words.ts';
import { TrusteePage } from './page.ts';
import { TEXTS } from './texts.ts';

const root = document.querySelector<HTMLElement>('#trustee');
if (root !== null) {
  const language = preferred(navigator.languages);
  new TrusteePage(root, new Words(language, TEXTS[language])).start(location.hash.slice(1));
}
