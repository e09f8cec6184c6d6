/**
 * Builds booth and check page: two small pages without a framework, of files that are the same
 * byte for byte wherever they are built, so that a manifest can pin them.
 */

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Takes away the booth's files of an earlier build; the folder holds other pages' files, too. */
function clearOwn(): Plugin {
  return {
    name: 'clear-own',
    writeBundle: {
      order: 'pre',
      handler({ dir }, bundle) {
        const assets = join(dir ?? '', 'assets');
        if (!existsSync(assets)) return;
        const made = new Set(Object.keys(bundle));
        for (const name of readdirSync(assets)) {
          const isOld = name.startsWith('booth-') && !made.has(`assets/${name}`);
          if (isOld) rmSync(join(assets, name));
        }
      },
    },
  };
}

export default defineConfig({
  root: here('.'),
  publicDir: false,
  plugins: [clearOwn()],
  build: {
    outDir: here('dist'),
    // The application and the trustees' page are built into the same folder.
    emptyOutDir: false,
    assetsInlineLimit: 0,
    modulePreload: false,
    target: 'es2022',
    rolldownOptions: {
      input: { booth: here('booth.html'), check: here('check.html') },
      output: {
        entryFileNames: 'assets/booth-[name]-[hash].js',
        chunkFileNames: 'assets/booth-[name]-[hash].js',
        assetFileNames: 'assets/booth-[name]-[hash][extname]',
      },
    },
  },
  worker: {
    format: 'es',
    rolldownOptions: { output: { entryFileNames: 'assets/booth-[name]-[hash].js' } },
  },
});
