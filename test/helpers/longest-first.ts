/**
 * A vitest sequencer: the files that take a minute and more start first, so that what is left at the end is short and both
 * cores have some of it. Vitest itself would begin with the largest files on disk, until a run has left their durations behind.
 */
import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** What computes all the time is not beside the first, which does so itself for minutes. */
const LONGEST = [
  'reload-loses-nothing',
  'every-protocol-survives-reloads',
  'http2-drain',
  'idle-connections-move',
  'handover-faults',
  'hup-storm-loses-nothing',
  'dispatch-loses-nothing',
  'even-load',
  'what-cannot-move-loses-nothing',
];

const rank = ({ moduleId }: TestSpecification): number => {
  const index = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return index === -1 ? LONGEST.length : index;
};

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
