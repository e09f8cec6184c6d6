/** Words of the trustee's page: all languages are in the one file that it is. */

import type { Language, Texts } from '../booth/words.ts';
import ar from './texts/ar.json' with { type: 'json' };
import de from './texts/de.json' with { type: 'json' };
import en from './texts/en.json' with { type: 'json' };
import es from './texts/es.json' with { type: 'json' };
import fr from './texts/fr.json' with { type: 'json' };

export const TEXTS: Record<Language, Texts> = { en, de, es, fr, ar };
