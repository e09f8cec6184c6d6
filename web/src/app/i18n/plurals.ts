/** Plural forms of a language that its texts leave out. */

export interface Texts {
  [key: string]: string | Texts;
}

/** Gives each plural form that a language has and the texts leave out the general form. */
export function fillPlurals(texts: Texts, language: string): Texts {
  const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
  const filled: Texts = {};
  for (const [key, value] of Object.entries(texts)) {
    if (typeof value !== 'string') filled[key] = fillPlurals(value, language);
    else {
      const general = key.endsWith('_other') ? forms : [];
      for (const form of general) filled[key.replace(/other$/, form)] ??= value;
      filled[key] = value;
    }
  }
  return filled;
}
