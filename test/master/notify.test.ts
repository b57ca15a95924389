import { expect, test } from 'vitest';
import { messageOf, Notifier } from '../../src/master/notify.js';

/** A manager that reads when it is told to. */
function manager(): {
  notifier: Notifier;
  heard: string[];
  read: () => void;
  failures: string[];
  fail: (why: string) => void;
} {
  const heard: string[] = [];
  const failures: string[] = [];
  let done: (() => void) | null = null;
  let failNext: string | null = null;
  const notifier = new Notifier(
    (message) =>
      new Promise((resolve, reject) => {
        heard.push(message);
        done = () => (failNext === null ? resolve() : reject(new Error(failNext)));
      }),
    (why) => failures.push(why),
  );
  const fail = (why: string): void => {
    failNext = why;
  };
  return { notifier, heard, failures, read: () => done?.(), fail };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what is told in one turn is one message', async () => {
  const { notifier, heard } = manager();
  notifier.tell({ STATUS: 'a' });
  notifier.tell({ READY: 1, STATUS: 'b' });
  await turn();
  expect(heard).toEqual(['STATUS=b\nREADY=1']);
});

test('one message is under way at a time; of words that come meanwhile the newest is said, and no change is passed over', async () => {
  const { notifier, heard, read } = manager();
  notifier.tell({ READY: 1 });
  await turn();
  notifier.tell({ STATUS: 'old' });
  notifier.tell({ RELOADING: 1, MONOTONIC_USEC: 7 });
  notifier.tell({ STATUS: 'new', WATCHDOG: 1 });
  notifier.tell({ READY: 1 });
  notifier.tell({ RELOADING: 1, MONOTONIC_USEC: 9 });
  await turn();
  expect(heard).toEqual(['READY=1']);
  for (let n = 0; n < 3; n++) {
    read();
    await turn();
  }
  expect(heard.slice(1)).toEqual([
    'STATUS=new\nRELOADING=1\nMONOTONIC_USEC=7\nWATCHDOG=1',
    'READY=1',
    'RELOADING=1\nMONOTONIC_USEC=9',
  ]);
});

test('a message that cannot be sent is told, and the next one is sent', async () => {
  const { notifier, heard, read, failures, fail } = manager();
  notifier.tell({ READY: 1 });
  await turn();
  fail('no such socket');
  read();
  await turn();
  expect(failures).toEqual(['no such socket']);
  notifier.tell({ STATUS: 'x' });
  await turn();
  expect(heard).toHaveLength(2);
});

test('a value stays on its line, whatever a worker has said', () => {
  expect(messageOf({ STATUS: 'failed: a\nREADY=1' })).toBe('STATUS=failed: a READY=1');
});
