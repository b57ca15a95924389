// On which Node a runner runs: on the given one, unless that is too old for it.
import { spawnSync } from 'node:child_process';

export function nodeVersion(binary) {
  const { stdout, error } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  if (error !== undefined) throw error;
  return stdout.trim();
}

export function nodeFor(runner, given) {
  const [major, minor] = nodeVersion(given).slice(1).split('.').map(Number);
  const [needsMajor, needsMinor] = runner.needsNode ?? [0, 0];
  const suits = major > needsMajor || (major === needsMajor && minor >= needsMinor);
  return suits ? given : runner.otherNode;
}
