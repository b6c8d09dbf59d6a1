// panva's certified oidc-provider, with the client of `sluicegate login`, and the gateway's own, which exchanges tokens:
// node oidc_provider.mjs PORT BACKCHANNEL_URI
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [port, backchannel] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${process.cwd()}/package.json`));
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const people = {
  ada: { name: 'Ada Lovelace', groups: ['engineering'] },
  linus: { name: 'Linus Pauling', groups: ['data-stewards'] },
};
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const TYPES = 'urn:ietf:params:oauth:token-type:';
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
  }, {
    client_id: 'sluicegate-gateway',
    client_secret: 'a-secret-of-the-gateway',
    grant_types: [EXCHANGE],
    response_types: [],
    redirect_uris: [],
  }],
  scopes: ['openid', 'profile', 'groups', 'offline_access'],
  claims: { openid: ['sub'], profile: ['name'], groups: ['groups'] },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    backchannelLogout: { enabled: true },
  },
  extraTokenClaims: async (_ctx, token) => (token.gty === EXCHANGE ? { act: { sub: token.clientId } } : undefined),
  // Refresh tokens rotate by themselves for a client without a secret.
  issueRefreshToken: async () => true,
  findAccount: (_ctx, id) => people[id] && { accountId: id, claims: async () => ({ sub: id, ...people[id] }) },
  // Its guard against server-side request forgery takes loopback for what it is; here loopback is meant.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
});

// Token exchange (RFC 8693) is no grant of its own there; this is what its documentation says to do.
provider.registerGrantType(EXCHANGE, async (ctx) => {
  const { params, client } = ctx.oidc;
  const failed = (error, description) => Object.assign(new Error(error), {
    error, error_description: description, statusCode: 400, status: 400, expose: true,
  });
  if (params.subject_token_type !== `${TYPES}access_token`) throw failed('invalid_request', 'no such type');
  const subject = await provider.AccessToken.find(params.subject_token);
  if (!subject || subject.isExpired) throw failed('invalid_request', 'the subject_token counts no more');
  const grant = await provider.Grant.find(subject.grantId);
  if (!grant || grant.isExpired) throw failed('invalid_grant', 'the grant counts no more');
  if (params.audience !== 'chunk-service') throw failed('invalid_target', 'there is no such service');
  const token = new provider.AccessToken({
    accountId: subject.accountId, client, grantId: subject.grantId, gty: EXCHANGE, scope: params.scope,
    expiresWithSession: subject.expiresWithSession, sessionUid: subject.sessionUid,
  });
  token.resourceServer = new provider.ResourceServer('chunk-service', {
    audience: 'chunk-service', scope: 'read', accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'RS256' } },
  });
  ctx.body = {
    access_token: await token.save(), issued_token_type: `${TYPES}access_token`, token_type: 'Bearer',
    expires_in: token.expiration, scope: token.scope,
  };
}, ['subject_token', 'subject_token_type', 'requested_token_type', 'actor_token', 'actor_token_type', 'audience',
  'resource', 'scope']);

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
