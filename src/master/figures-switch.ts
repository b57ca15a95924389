/**
 * Runs in the master. Figures are on while somebody holds them: the config's `http` from before the first fork, or whoever watches. What keeps them is
 * loaded with the first holder; while there is none, a master has this file of it alone.
 */
import type { FiguresKeeper } from './figures/keeper.js';

export class FiguresSwitch {
  /** Null while figures are off. What ends goes: who turns them on again begins anew, and totals are of that time. */
  keeper: FiguresKeeper | null = null;
  private holders = 0;
  private making: Promise<void> | null = null;

  /** @param make loads what keeps them */
  constructor(private readonly make: () => Promise<FiguresKeeper>) {}

  /**
   * Turns them on, where they are not. Settles when they are.
   * @returns lets go; more than once is no harm
   * @throws where what keeps them cannot be loaded
   */
  async hold(): Promise<() => void> {
    this.holders += 1;
    let holds = true;
    const letGo = (): void => {
      if (!holds) return;
      holds = false;
      this.holders -= 1;
      if (this.holders === 0) this.turnOff();
    };
    try {
      this.making ??= this.turnOn();
      await this.making;
    } catch (error) {
      letGo();
      throw error;
    }
    return letGo;
  }

  private async turnOn(): Promise<void> {
    const keeper = await this.make();
    if (this.holders === 0 || this.keeper) return; // Let go while it was loaded; and taken up again.
    this.keeper = keeper;
    keeper.begin();
  }

  private turnOff(): void {
    this.making = null;
    this.keeper?.end();
    this.keeper = null;
  }
}
