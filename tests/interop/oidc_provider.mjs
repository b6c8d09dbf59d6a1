// panva's certified oidc-provider, with the client of `sluicegate login`: node oidc_provider.mjs PORT BACKCHANNEL_URI
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [port, backchannel] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${process.cwd()}/package.json`));
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const people = {
  ada: { name: 'Ada Lovelace', groups: ['engineering'] },
  linus: { name: 'Linus Pauling', groups: ['data-stewards'] },
};
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'sluicegate-cli',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback'],
    backchannel_logout_uri: backchannel,
    backchannel_logout_session_required: true,
  }],
  scopes: ['openid', 'profile', 'groups', 'offline_access'],
  claims: { openid: ['sub'], profile: ['name'], groups: ['groups'] },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    backchannelLogout: { enabled: true },
  },
  // Refresh tokens rotate by themselves for a client without a secret.
  issueRefreshToken: async () => true,
  findAccount: (_ctx, id) => people[id] && { accountId: id, claims: async () => ({ sub: id, ...people[id] }) },
  // Its guard against server-side request forgery takes loopback for what it is; here loopback is meant.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
