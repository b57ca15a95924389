/** Runs in the page. The colours of the style sheet, for what is drawn on a canvas; read once for each scheme. */
import { LANES } from '../pure/lanes.js';

export interface Palette {
  lanes: string[];
  /** The same, as areas. */
  areas: string[];
  text: string;
  grid: string;
  strong: string;
  tones: Record<'good' | 'bad' | 'warn' | 'plain', string>;
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  const lanes = Array.from({ length: LANES }, (_, lane) => lane);
  return {
    lanes: lanes.map((lane) => read(`--lane-${lane}`)),
    areas: lanes.map((lane) => read(`--area-${lane}`)),
    text: read('--quiet'),
    grid: read('--line'),
    strong: read('--text'),
    tones: { good: read('--good'), bad: read('--bad'), warn: read('--warn'), plain: read('--quiet') },
  };
}

export function onSchemeChange(changed: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}
