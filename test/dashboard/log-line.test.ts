/** The log as the page shows it: what is JSON of the master or of pino is read, and all else stays as it was written. */
import { expect, test } from 'vitest';
import { shownLine } from '../../src/dashboard/pure/log-line.js';

const at = new Date(2026, 10, 26, 14, 3, 9);
const own = (level: string, what: object = {}): string =>
  JSON.stringify({ level, time: at.toISOString(), name: 'zdsup', app: 'shop', msg: 'it serves', ...what });

test("the master's own lines have their time and message, as `zdsup logs` shows them on a terminal", () => {
  expect(shownLine(own('info', { kind: 'serving', generation: 3 }))).toEqual({
    text: '[14:03:09] shop: it serves',
    tone: 'plain',
    isOwn: true,
  });
  expect(['info', 'warn', 'error', 'fatal'].map((level) => shownLine(own(level)).tone)).toEqual([
    'plain',
    'warn',
    'bad',
    'bad',
  ]);
});

test("pino's of an app have their level in words, and what else is in them", () => {
  const line = JSON.stringify({ level: 50, time: at.getTime(), pid: 1, hostname: 'h', name: 'api', msg: 'no', err: 7 });
  expect(shownLine(line)).toEqual({ text: '[14:03:09] ERROR (api): no {"err":7}', tone: 'bad', isOwn: false });
  expect(shownLine(JSON.stringify({ level: 30, time: at.toISOString(), pid: 1, hostname: 'h' })).text).toBe(
    '[14:03:09] INFO:',
  );
});

test.for([
  'GET /cart 200',
  '{"level":"info","time":"2026-11-26T12:00:00.000Z","name":"zdsup","msg":"cut sho',
  '{"level":30}',
  '{"level":35,"time":1,"msg":"a level of its own"}',
  '{"level":"30","time":1,"msg":"x"}',
  '{"level":"info","name":"zdsup","time":"never","msg":"x"}',
  '{"level":null}',
  '[1]',
  '',
])('any other line is left as it is: %s', (line) => {
  expect(shownLine(line)).toEqual({ text: line, tone: 'plain', isOwn: false });
});
