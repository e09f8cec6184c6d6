// Colours, language and direction before the first paint, so that nothing flashes.
(() => {
  const read = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const wanted = read('quorate.scheme');
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const scheme = wanted === 'light' || wanted === 'dark' ? wanted : dark ? 'dark' : 'light';
  document.documentElement.dataset.mantineColorScheme = scheme;
  const language = read('quorate.language') ?? navigator.language.slice(0, 2);
  if (language === 'ar') document.documentElement.dir = 'rtl';
})();
