import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The node that `npm run dev` talks to. */
const node = process.env.QUORATE_NODE ?? 'http://127.0.0.1:8080';

/** The application. Booth and trustee page are built by configurations of their own. */
export default defineConfig({
  plugins: [react()],
  // A node writes a nonce of its own where this stands.
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    outDir: 'dist',
    // `scripts/build.mjs` empties the folder: other pages are built into it, too.
    emptyOutDir: false,
    manifest: 'app.manifest.json',
    target: 'es2022',
    // Data URIs and inline scripts would be refused by the policy of the page.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': { target: node, ws: true, changeOrigin: true } } },
});
