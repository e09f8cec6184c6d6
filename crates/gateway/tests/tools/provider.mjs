// An OpenID Connect provider that logs everybody in as the person named on the command line.
// node provider.mjs FOLDER-WITH-node_modules REDIRECT-URI PERSON
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, redirect, person] = process.argv.slice(2);
const require = createRequire(path.join(folder, 'x.js'));
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const server = http.createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'quorate',
    client_secret: 'a-secret-of-the-provider',
    redirect_uris: [redirect],
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }],
  pkce: { required: () => true },
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['for tests only'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/finish/${interaction.uid}` },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true }),
  }),
});
const answer = provider.callback();
server.on('request', async (request, response) => {
  if (!request.url.startsWith('/finish/')) return answer(request, response);
  const { params } = await provider.interactionDetails(request, response);
  const grant = new provider.Grant({ accountId: person, clientId: params.client_id });
  grant.addOIDCScope('openid email');
  const result = { login: { accountId: person }, consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result);
});
console.log(issuer);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
