/**
 * Builds booth and check page: two small pages without a framework, of files that are the same
 * byte for byte wherever they are built, so that a manifest can pin them.
 */

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('.'),
  publicDir: false,
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
