import { expect, test } from 'vitest';
import { unitlessNote } from '../../src/cli/render/unitless.js';

test('so few ms as somebody may have meant as seconds are said to be ms', () => {
  expect(unitlessNote('--drain-timeout', '30')).toBe('--drain-timeout 30 is 30 ms; 30s is 30 seconds');
  expect(unitlessNote('--drain-timeout', '1')).toBe('--drain-timeout 1 is 1 ms; 1s is 1 second');
});

test.for([undefined, '0', '1000', '30s', '30ms', 'soon'])('%s says what it is by itself', (value) => {
  expect(unitlessNote('--drain-timeout', value)).toBeNull();
});
