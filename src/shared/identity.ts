/** Whom a worker runs as, where that is another user than the master (types alone). Made by the planner, for one generation. */
export interface Identity {
  /** For people: its name, or the number where it has none. */
  user: string;
  uid: number;
  gid: number;
  /** Supplementary groups, without `gid`. */
  groups: number[];
  home: string;
  shell: string;
}
