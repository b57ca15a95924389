/** Runs in the page. A line of the last minute. The figure beside it says the same in words: it is hidden from screen readers. */
import { sparkPoints } from '../pure/sparks.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 60;
const HEIGHT = 16;

export interface Spark {
  root: SVGSVGElement;
  update(values: number[], highest: number): void;
}

export function makeSpark(): Spark {
  const root = document.createElementNS(SVG, 'svg');
  root.setAttribute('class', 'spark');
  root.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  root.setAttribute('aria-hidden', 'true');
  const area = document.createElementNS(SVG, 'polygon');
  const line = document.createElementNS(SVG, 'polyline');
  root.append(area, line);
  return {
    root,
    update(values, highest) {
      const points = sparkPoints(values, highest, WIDTH, HEIGHT);
      line.setAttribute('points', points);
      area.setAttribute(
        'points',
        points === '' ? '' : `${points} ${WIDTH},${HEIGHT} ${points.split(',', 1)[0]},${HEIGHT}`,
      );
    },
  };
}
