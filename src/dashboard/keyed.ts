/** Runs in the page. A list whose rows stay the same elements as long as what they show is there: focus, selection and scroll stay, too. */
export interface Row<T> {
  root: Element;
  update(item: T): void;
}

export class Keyed<T> {
  private readonly rows = new Map<string, Row<T>>();

  constructor(
    private readonly parent: Element,
    private readonly keyOf: (item: T) => string,
    private readonly make: (item: T) => Row<T>,
  ) {}

  update(items: T[]): void {
    const wanted = new Set(items.map(this.keyOf));
    for (const [key, row] of this.rows)
      if (!wanted.has(key)) {
        row.root.remove();
        this.rows.delete(key);
      }
    let next = this.parent.firstElementChild;
    for (const item of items) {
      const row = this.rowOf(item);
      row.update(item);
      if (row.root === next) next = next.nextElementSibling;
      else this.parent.insertBefore(row.root, next);
    }
  }

  private rowOf(item: T): Row<T> {
    const key = this.keyOf(item);
    const known = this.rows.get(key);
    if (known) return known;
    const row = this.make(item);
    this.rows.set(key, row);
    return row;
  }
}
