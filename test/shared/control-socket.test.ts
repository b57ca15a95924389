/** Whether a master lives behind a control socket: a wrong yes refuses a start, a wrong no takes a living master's name. */
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { isAnswered } from '../../src/shared/control-socket.js';

class Attempt extends EventEmitter {
  isDestroyed = false;
  destroy(): void {
    this.isDestroyed = true;
  }
}

test('a connection that is taken is an answer, and is not kept', async () => {
  const attempt = new Attempt();
  const answered = isAnswered(attempt);
  attempt.emit('connect');
  expect(await answered).toBe(true);
  expect(attempt.isDestroyed).toBe(true);
});

test.for([
  ['EAGAIN', true], // Its queue is full: somebody holds it.
  ['ECONNREFUSED', false],
  ['ENOENT', false],
  ['EACCES', false],
] as const)('%s counts as answered: %s', async ([code, expected]) => {
  const attempt = new Attempt();
  const answered = isAnswered(attempt);
  attempt.emit('error', Object.assign(new Error(code), { code }));
  expect(await answered).toBe(expected);
});
