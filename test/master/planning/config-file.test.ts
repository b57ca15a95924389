import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfigFile } from '../../../src/master/planning/config-file.js';
import { temporaryFolder } from '../../helpers/cleanup.js';

const SECRET = 'hunter2-is-a-secret';

test.for([
  [`{\n  "env": {\n    "TOKEN": ${SECRET}\n  }\n}`, 'near line 3'],
  [`{"env": {"TOKEN": nul ${SECRET}}}`, 'near line 1'],
  [SECRET, 'near line 1'],
  [`{"TOKEN": "${SECRET}" "b"}`, 'position'],
  [`{"TOKEN": "${SECRET}\n"}`, 'position'],
])('JSON that does not parse is told with the place, and without what stands there: %j', async ([text, place]) => {
  const path = join(temporaryFolder(), 'zdsup.config.json');
  writeFileSync(path, text!);
  const error = await loadConfigFile(path).then(
    () => null,
    (caught: Error) => caught,
  );
  expect(error?.message).toContain(place);
  // Not even how it begins.
  expect(error?.message).not.toContain(SECRET.slice(0, 4));
});
