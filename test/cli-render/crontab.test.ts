import { expect, test } from 'vitest';
import { crontabLine } from '../../src/cli/render/crontab.js';

test('the line has the full paths and what matters of the environment, as sh and cron read them', () => {
  const env = { ZDSUP_HOME: undefined, PATH: "/usr/bin:/opt/it's here" };
  expect(crontabLine(env, ['/usr/bin/node', '/opt/100%/zdsup.js', 'resurrect'], '/home/a b/resurrect.log')).toBe(
    "@reboot PATH='/usr/bin:/opt/it'\\''s here' /usr/bin/node /opt/100\\%/zdsup.js resurrect >> '/home/a b/resurrect.log' 2>&1",
  );
});
