/** `http` of the config: what it takes, and that its token is told nowhere. */
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/shared/config-schema.js';
import type { ErrorReport } from '../../src/shared/errors.js';
import { toReport } from '../../src/shared/errors.js';

const TOKEN = 'Zo7Q_a-secret.of~ours';
const httpOf = (http: unknown) => parseConfig({ script: 'app.js', http }, 'zdsup.config.js')[0]!.http;

function refusalOf(http: unknown): ErrorReport {
  try {
    httpOf(http);
  } catch (error) {
    return toReport(error);
  }
  throw new Error(`${JSON.stringify(http)} was accepted`);
}

describe('http takes', () => {
  const byDefault = { port: null, socket: null, host: '127.0.0.1', token: null, readOnly: false, hosts: [] };

  test.for([
    [undefined, null],
    [false, null],
    [9000, { ...byDefault, port: 9000 }],
    [
      { port: 9000, host: '::1' },
      { ...byDefault, port: 9000, host: '::1' },
    ],
    [{ socket: 'zdsup.sock' }, { ...byDefault, socket: 'zdsup.sock' }],
    [
      { port: 9000, host: '0.0.0.0', token: TOKEN, readOnly: true, hosts: ['Dash.example.com', 'web1:9000'] },
      {
        ...{ ...byDefault, port: 9000, host: '0.0.0.0', token: TOKEN, readOnly: true },
        hosts: ['dash.example.com', 'web1:9000'],
      },
    ],
  ])('%j', ([given, normalised]) => {
    expect(httpOf(given)).toEqual(normalised);
  });
});

describe('http refuses', () => {
  test.for([
    [0, 'http is 0'],
    ['9000', 'http is "9000"'],
    [true, 'http is true'],
    [{}, "http has neither 'port' nor 'socket'"],
    [{ port: 9000, socket: 'a.sock' }, "http has both, 'port' and 'socket'"],
    [{ port: 70_000 }, 'http.port is 70000'],
    [{ prot: 9000 }, 'unknown key http.prot'],
    [{ port: 9000, host: 'web1.example.com' }, 'http.host is "web1.example.com"'],
    [{ port: 9000, hosts: ['https://dash.example.com'] }, 'http.hosts.0 is "https://dash.example.com"'],
    [{ port: 9000, hosts: ['*'] }, 'http.hosts.0 is "*"'],
    [{ socket: 'a.sock', host: '127.0.0.1' }, 'http.host is "127.0.0.1"'],
  ])('%j', ([given, message]) => {
    expect(refusalOf(given)).toMatchObject({
      code: 'ZDSUP_CONFIG_INVALID',
      exitStatus: 2,
      message: `zdsup.config.js: ${message}`,
    });
  });

  test.for(['0.0.0.0', '::', '192.168.1.7', '128.0.0.1', '::ffff:127.0.0.1'])(
    'to listen on %s without a token',
    (host) => {
      expect(refusalOf({ port: 9000, host })).toMatchObject({
        message: `zdsup.config.js: http.host is "${host}"`,
        hint: 'allowed: an address of this host alone (127.0.0.1, ::1, localhost); beyond it, set http.token',
        exitStatus: 2,
      });
      expect(httpOf({ port: 9000, host, token: TOKEN })).toMatchObject({ host });
    },
  );
});

test.for([
  { port: 9000, token: 'short-secret' },
  { port: 9000, token: `${TOKEN} with spaces` },
  { port: 9000, token: 81_549_300_555 },
  { port: 9000, socket: 'a.sock', token: TOKEN },
  { token: TOKEN },
])('a refusal does not tell the token: %j', (http) => {
  const { message, hint } = refusalOf(http);
  expect(`${message} ${hint}`).not.toContain(String(http.token));
  expect(message).toMatch(/^zdsup\.config\.js: http(\.token is a (string|number)| has (both|neither).*)$/);
});
