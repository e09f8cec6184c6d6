/**
 * Builds the trustees' page into one file that needs nothing beside it, with its SHA-256 in a
 * second one. Its policy names the only script and the only style by their hashes.
 */

import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const NAME = 'quorate-trustee.html';

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** Puts script and style into the page. */
function oneFile(): Plugin {
  return {
    name: 'one-file',
    enforce: 'post',
    generateBundle(_, bundle) {
      const files = Object.values(bundle);
      const page = files.find(({ fileName }) => fileName === 'trustee.html');
      const chunks = files.filter((file) => file.type === 'chunk');
      const styles = files.filter(({ fileName }) => fileName.endsWith('.css'));
      if (page?.type !== 'asset' || chunks.length !== 1 || styles.length !== 1) {
        this.error(`expected one page, one script and one style; there are ${Object.keys(bundle)}`);
      }
      const script = chunks[0]!.code.trim().replaceAll('</script', '<\\/script');
      const style = textOf(styles[0]!).trim();
      const policy =
        `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; ` +
        "img-src data:; connect-src http: https:; base-uri 'none'; form-action 'none'";
      const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
      const html = textOf(page)
        .replace(/\s*<script[^>]*><\/script>/, '')
        .replace(/\s*<link rel="stylesheet"[^>]*>/, '')
        .replace('<meta charset="utf-8">', () => `<meta charset="utf-8">\n    ${meta}`)
        .replace('</head>', () => `  <style>${style}</style>\n  </head>`)
        .replace('</body>', () => `  <script type="module">${script}</script>\n  </body>`);
      for (const { fileName } of files) delete bundle[fileName];
      const digest = createHash('sha256').update(html).digest('hex');
      this.emitFile({ type: 'asset', fileName: NAME, source: html });
      this.emitFile({ type: 'asset', fileName: `${NAME}.sha256`, source: `${digest}  ${NAME}\n` });
    },
  };
}

function textOf(file: { readonly type: string; readonly source?: string | Uint8Array }): string {
  return typeof file.source === 'string' ? file.source : new TextDecoder().decode(file.source);
}

export default defineConfig({
  root: here('.'),
  publicDir: false,
  plugins: [oneFile()],
  build: {
    outDir: here('dist'),
    emptyOutDir: false,
    assetsInlineLimit: 0,
    modulePreload: false,
    target: 'es2022',
    cssCodeSplit: false,
    rolldownOptions: {
      input: { trustee: here('trustee.html') },
      output: { codeSplitting: false },
    },
  },
});
