/** Runs in the CLI. `zdsup status --watch`: the status again and again, in place on a terminal, one after another elsewhere; a line of JSON each with `--json`. */
import { ZdsupError } from '../../shared/errors.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { toStdout } from '../line-output.js';
import { allOnOneLine } from '../render/on-one-line.js';
import { renderStatus } from '../render/status.js';
import type { View } from '../watch/frame.js';
import { frame } from '../watch/frame.js';
import { Screen } from '../watch/screen.js';
import { Streams } from '../watch/streams.js';
import { askFor, drawable, lookAt } from './status.js';

/** In ms. */
const EVERY_MS = 1_000;
/** Samples of several masters that come one after another are drawn at once. In ms. */
const TOGETHER_MS = 50;
/** More lines are on few terminals. */
const KEPT_HAPPENINGS = 100;

/** Goes on until it is interrupted, or `q` is pressed. @throws what `status` throws, at the first look */
export async function watchStatus(name: string | undefined, options: { json: boolean }): Promise<number> {
  const watching = new Watching(name);
  try {
    await watching.look();
    const isScreen = process.stdout.isTTY && process.env.TERM !== 'dumb' && !options.json;
    return await (isScreen ? onScreen(watching) : inLines(watching, options.json));
  } finally {
    watching.end();
  }
}

function onScreen(watching: Watching): Promise<number> {
  return new Promise((resolve, reject) => {
    const draw = (): void => screen.draw(frame(watching.view, screen.size, Date.now()));
    const screen = new Screen({
      changed: draw,
      ended(status) {
        clearInterval(timer);
        screen.end();
        resolve(status);
      },
    });
    const fail = (error: unknown): void => {
      clearInterval(timer);
      screen.end();
      reject(error);
    };
    const timer = setInterval(() => void watching.look().then(draw).catch(fail), EVERY_MS);
    watching.changed = draw;
    screen.begin();
  });
}

/** Until whoever reads has gone, or the command is ended. */
async function inLines(watching: Watching, json: boolean): Promise<never> {
  process.stdout.on('error', () => process.exit(0));
  for (;;) {
    const due = new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    const { apps, note } = watching.view;
    if (json) await toStdout(`${JSON.stringify({ apps: watching.snapshots })}\n`);
    else {
      const text = apps.length === 0 ? 'no app is running\n' : renderStatus(apps, Date.now(), process.stdout.columns);
      await toStdout(`--- ${new Date().toISOString()}\n${text}${note === null ? '' : `${note}\n`}\n`);
    }
    await due;
    await watching.look();
  }
}

/** What is known of all that are watched. */
class Watching {
  snapshots: AppSnapshot[] = [];
  readonly view: View = { apps: [], happenings: [], note: null };
  changed: () => void = () => {};
  private looking: Promise<void> | null = null;
  private drawing: NodeJS.Timeout | null = null;
  private looks = 0;
  private readonly streams = new Streams(askFor, {
    sample: (app) => void this.take(this.snapshots.map((one) => (one.name === app.name ? app : one))).then(this.soon),
    progress: (app, { at, message }) => {
      this.view.happenings.push(allOnOneLine({ app, at, message }));
      this.view.happenings.splice(0, this.view.happenings.length - KEPT_HAPPENINGS);
      this.soon();
    },
  });

  constructor(private readonly name: string | undefined) {}

  /** One at a time. Rejects at the first one only: later on what is wrong is said, and what was seen last stays. */
  look(): Promise<void> {
    this.looking ??= this.lookOnce().finally(() => {
      this.looking = null;
    });
    return this.looking;
  }

  end(): void {
    this.streams.end();
    if (this.drawing) clearTimeout(this.drawing);
  }

  private async lookOnce(): Promise<void> {
    this.looks += 1;
    let note: string | null = null;
    try {
      const ask: Streams['ask'] = (app) => this.streams.ask(app);
      await this.take(await lookAt(this.name, { ask, warn: (text) => (note = text) }));
    } catch (error) {
      if (this.looks === 1 || !(error instanceof ZdsupError)) throw error;
      note = error.message;
    }
    this.view.note = note;
  }

  private async take(snapshots: AppSnapshot[]): Promise<void> {
    this.snapshots = snapshots;
    this.view.apps = await Promise.all(
      allOnOneLine(snapshots).map((app) => drawable(app, (one) => renderStatus([one], Date.now()))),
    );
  }

  private readonly soon = (): void => {
    this.drawing ??= setTimeout(() => {
      this.drawing = null;
      this.changed();
    }, TOGETHER_MS);
  };
}
