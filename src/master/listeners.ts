/**
 * Runs in the master. Owns every listening socket: bound here, never polled or read here. A socket lives from the first `listen`
 * that asks for it until no generation wants it any more; workers come and go on copies of it.
 */
import { lchownSync, linkSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import type { DatagramHandle } from '../node-internals/datagram-handle.cjs';
import { bindDatagrams } from '../node-internals/datagram-handle.cjs';
import type { ServerHandle } from '../node-internals/server-handle.cjs';
import { bindServer } from '../node-internals/server-handle.cjs';
import { heldLinkOf } from '../shared/held-link.cjs';
import type { ListenSpec, SocketName } from '../shared/messages.cjs';
import type { ListenerSnapshot } from '../shared/snapshot.js';
import type { Rights } from './fork-worker.js';
import type { InheritedSocket } from './inherited.js';
import { hasMatching, labelOfInherited, takeMatching } from './inherited.js';

/** Errno of an address in use, as libuv has it. */
const EADDRINUSE = -98;
/** A worker that owns a socket calls listen(2) with this; the app's own backlog applies when it accepts. */
const OWNING_BACKLOG = 511;

/** What the table needs of a worker. */
export interface ListenerClient {
  sendOwn(key: string, backlog: number, handle: ServerHandle): void;
  /** `datagrams`: the UDP socket itself, which the app sends through before it may read. */
  sendListening(seq: number, key: string, name: SocketName, datagrams?: DatagramHandle): void;
  sendListenFailed(seq: number, spec: ListenSpec, errno: number): void;
  /** Whose a unix socket is that is made for it. @default the master's */
  readonly rights?: Rights;
}

interface Ask {
  client: ListenerClient;
  seq: number;
  /** The socket is ours and listens, the client was told so. */
  granted: () => void;
}

interface Listener {
  key: string;
  spec: ListenSpec;
  handle: ServerHandle | DatagramHandle;
  name: SocketName;
  /** `bound`: nobody has called listen(2) on it yet; `owner` is asked to. A UDP socket needs no such call. */
  state: 'bound' | 'listening';
  owner: ListenerClient | null;
  waiting: Ask[];
  /** Messages under way that carry it: it is not closed under one. */
  lentCount: number;
  /** Bound where no client finds it: nothing of the address that was asked for is ours. */
  aside: boolean;
  /** A service manager has bound it, and holds it too: it is never closed here, and its path is not ours. */
  inherited: InheritedSocket | null;
}

export class Listeners {
  private readonly table = new Map<string, Listener>();
  private readonly gone = new WeakSet<ListenerClient>();
  private closed = false;

  /** Called ahead of the end of each socket that connections come through. */
  closing: (key: string) => void = () => {};
  /** Called where an app asks for an address that somebody else has. */
  inUse: (spec: ListenSpec) => void = () => {};

  /**
   * @param offTraffic binds every socket aside, where no client finds it; apps are told the names that they asked for
   * @param inherited sockets that an app gets which listens where they do; those that nobody listens on any more lie here again
   */
  constructor(
    private readonly offTraffic = false,
    private readonly inherited: InheritedSocket[] = [],
  ) {}

  /** Those that no app listens on, for people. */
  unusedInherited(): string[] {
    return this.inherited.map(labelOfInherited);
  }

  /** Whose paths no app may remove, and which have no link beside them that says so. */
  inheritedPaths(): string[] {
    const held = [...this.table.values()].flatMap(({ inherited }) => inherited ?? []);
    return [...held, ...this.inherited].flatMap(({ path }) => path ?? []);
  }

  /** The service manager holds that socket, so whoever wrote its unit has allowed it. */
  isInherited(spec: ListenSpec): boolean {
    const listener = this.table.get(keyOf(spec));
    return listener ? listener.inherited !== null : hasMatching(this.inherited, spec);
  }

  /** A worker's app listens: binds the socket where it is new, and answers once listen(2) has succeeded on it. */
  async ask(client: ListenerClient, seq: number, spec: ListenSpec, granted: (key: string) => void): Promise<void> {
    const key = keyOf(spec);
    let listener = this.table.get(key);
    if (!listener) {
      const bound = await this.bind(key, spec, client.rights);
      if (typeof bound === 'number') {
        if (bound === EADDRINUSE) this.inUse(spec);
        client.sendListenFailed(seq, spec, bound);
        return;
      }
      listener = bound;
    }
    if (this.gone.has(client)) return; // While the path was asked for: appointed, it would be waited for by all others.
    restoreUnixPath(listener);
    listener.waiting.push({ client, seq, granted: () => granted(key) });
    if (listener.state === 'listening') this.grantAll(listener);
    else if (!listener.owner) this.appoint(listener);
  }

  /** An owner's listen(2) has returned. */
  owned(client: ListenerClient, key: string, errno: number): void {
    const listener = this.table.get(key);
    if (!listener || listener.owner !== client) return;
    listener.owner = null;
    if (errno !== 0) {
      this.close(key);
      for (const ask of listener.waiting) ask.client.sendListenFailed(ask.seq, listener.spec, errno);
      return;
    }
    listener.state = 'listening';
    this.grantAll(listener);
    if (this.closed && !listener.aside) this.close(key);
  }

  /** A worker is gone: what it owed is asked of another one. */
  forget(client: ListenerClient): void {
    this.gone.add(client);
    for (const listener of this.table.values()) {
      restoreUnixPath(listener); // It may have removed the path and died before it listened.
      listener.waiting = listener.waiting.filter((ask) => ask.client !== client);
      if (listener.owner !== client) continue;
      listener.owner = null;
      this.appoint(listener);
    }
  }

  get holdsUnixSockets(): boolean {
    if (this.offTraffic) return true; // The app that runs beside holds them.
    return [...this.table.values()].some((listener) => hasFile(listener.spec));
  }

  /** `readableAll` and `writableAll` of a unix socket, as the app has asked. */
  changeMode(key: string, mode: number): void {
    const handle = this.table.get(key)?.handle;
    if (handle && 'fchmod' in handle) handle.fchmod?.(mode);
  }

  /** What a worker needs to accept from `key`: null for UDP, where it has its copy already; undefined where there is no such socket. */
  handleOf(key: string): ServerHandle | null | undefined {
    const listener = this.table.get(key);
    return listener && (isDatagrams(listener) ? null : (listener.handle as ServerHandle));
  }

  /**
   * As `handleOf`, for a message that may have to wait behind others in its channel: at a stop the socket is closed right after it was sent.
   * @returns null where there is nothing to send; else call `giveBack` once it has gone out, or never will
   */
  lend(key: string): { handle: ServerHandle | null; giveBack: () => void } | null {
    const listener = this.table.get(key);
    if (!listener) return null;
    listener.lentCount += 1;
    const giveBack = (): void => {
      listener.lentCount -= 1;
      if (listener.lentCount === 0 && this.table.get(key) !== listener && !listener.inherited) listener.handle.close();
    };
    return { handle: isDatagrams(listener) ? null : (listener.handle as ServerHandle), giveBack };
  }

  /** Of all that accept connections. */
  streamKeys(): string[] {
    return [...this.table.values()]
      .filter((listener) => listener.state === 'listening' && !isDatagrams(listener))
      .map(({ key }) => key);
  }

  /** Of the unix sockets. */
  unixPaths(): string[] {
    return [...this.table.values()].filter(({ spec }) => isUnix(spec)).map(({ spec }) => labelOf(spec));
  }

  /** Closes all that are not in `keep`. */
  closeAllBut(keep: Set<string>): void {
    for (const [key, listener] of this.table) if (!keep.has(key) && listener.waiting.length === 0) this.close(key);
  }

  /**
   * At a stop. Whoever asks from here on, a worker that was starting still, gets a socket aside: under the address nobody would answer, and
   * clients are refused instead of waiting for nobody.
   */
  closeForGood(): void {
    this.closed = true;
    this.closeAllBut(new Set());
  }

  snapshot(): ListenerSnapshot[] {
    return [...this.table.values()]
      .filter((listener) => listener.state === 'listening' && (this.offTraffic || !listener.aside))
      .map(({ spec, name }) =>
        isUnix(spec)
          ? { address: null, path: spec.address ?? '', protocol: spec.protocol }
          : {
              address: 'address' in name ? String(name.address) : spec.address,
              port: 'port' in name ? Number(name.port) : (spec.port ?? 0),
              protocol: spec.protocol,
            },
      );
  }

  /** First TCP listener on `port` (any, where it is undefined), for a readiness check. */
  find(keys: string[], port: number | undefined): { key: string; protocol: ListenSpec['protocol'] } | undefined {
    const found = keys
      .map((key) => this.table.get(key))
      .find(
        (listener) =>
          listener !== undefined &&
          !isDatagrams(listener) &&
          (port === undefined ||
            listener.spec.port === port ||
            ('port' in listener.name && listener.name.port === port)),
      );
    return found && { key: found.key, protocol: found.spec.protocol };
  }

  private async bind(key: string, spec: ListenSpec, rights: Rights | undefined): Promise<Listener | number> {
    if (this.offTraffic || this.closed) return this.bindAside(key, spec);
    const given = takeMatching(this.inherited, spec);
    if (given) return this.adopt(key, spec, given);
    let bound = bindWithRights(spec, rights);
    if (bound === EADDRINUSE && hasFile(spec) && (await isStaleUnixPath(spec.address ?? ''))) {
      // While the path was asked for, another worker's ask may have bound it: it is not stale any more then, though nobody answers yet.
      const meanwhile = this.table.get(key);
      if (meanwhile) return meanwhile;
      if (this.closed) return this.bindAside(key, spec);
      removeQuietly(spec.address ?? '');
      removeQuietly(heldLinkOf(spec.address ?? ''));
      bound = bindWithRights(spec, rights);
    }
    if (typeof bound === 'number') return bound;
    const state = spec.protocol === 'udp' ? 'listening' : 'bound';
    const listener: Listener = {
      key,
      spec,
      ...bound,
      state,
      owner: null,
      waiting: [],
      lentCount: 0,
      aside: false,
      inherited: null,
    };
    this.table.set(key, listener);
    holdUnixPath(listener);
    return listener;
  }

  /** It listens already: nobody has to be appointed. */
  private adopt(key: string, spec: ListenSpec, inherited: InheritedSocket): Listener {
    const { handle, name } = inherited;
    const listener: Listener = {
      ...{ key, spec, handle, name, inherited },
      ...{ state: 'listening', owner: null, waiting: [], lentCount: 0, aside: false },
    };
    this.table.set(key, listener);
    return listener;
  }

  private bindAside(key: string, spec: ListenSpec): Listener | number {
    const bound = bindSocket({ ...spec, ...ASIDE });
    if (typeof bound === 'number') return bound;
    const state = spec.protocol === 'udp' ? 'listening' : 'bound';
    const listener: Listener = {
      key,
      spec,
      ...bound,
      name: nameAside(spec, bound.name),
      state,
      owner: null,
      waiting: [],
      lentCount: 0,
      aside: true,
      inherited: null,
    };
    this.table.set(key, listener);
    return listener;
  }

  private appoint(listener: Listener): void {
    const next = listener.waiting[0];
    if (!next) return;
    listener.owner = next.client;
    next.client.sendOwn(listener.key, OWNING_BACKLOG, listener.handle as ServerHandle);
  }

  private grantAll(listener: Listener): void {
    const asks = listener.waiting;
    listener.waiting = [];
    for (const ask of asks) {
      const datagrams = isDatagrams(listener) ? (listener.handle as DatagramHandle) : undefined;
      ask.client.sendListening(ask.seq, listener.key, listener.name, datagrams);
      ask.granted();
    }
  }

  private close(key: string): void {
    const listener = this.table.get(key);
    if (!listener) return;
    this.closing(key);
    this.table.delete(key);
    if (listener.inherited) {
      this.inherited.push(listener.inherited); // The manager's clients wait in it, for whoever listens there next.
      return;
    }
    if (hasFile(listener.spec) && !listener.aside) removeQuietly(heldLinkOf(listener.spec.address ?? ''));
    if (listener.lentCount === 0) listener.handle.close(); // Of a unix socket, this also removes the path.
  }
}

/** Off the traffic: a free port of loopback, also for what would be a unix socket. */
const ASIDE = { address: '127.0.0.1', port: 0, addressType: 4, flags: 0 };

/** A unix socket has no name of this kind. */
function nameAside(spec: ListenSpec, bound: SocketName): SocketName {
  if (isUnix(spec)) return {};
  const address = spec.address ?? '::';
  const port = spec.port || ('port' in bound ? Number(bound.port) : 0);
  return { address, family: spec.addressType === 6 || spec.address === null ? 'IPv6' : 'IPv4', port };
}

const bindSocket = (spec: ListenSpec): ReturnType<typeof bindServer> | ReturnType<typeof bindDatagrams> =>
  spec.protocol === 'udp'
    ? bindDatagrams(spec.address ?? '', spec.port ?? 0, spec.addressType, spec.flags)
    : bindServer(spec.address, spec.port, spec.addressType, spec.flags);

/** A unix socket is a file, and so the worker's own; that of a worker with rights of its own lies where root alone can write. */
function bindWithRights(spec: ListenSpec, rights: Rights | undefined): ReturnType<typeof bindSocket> {
  if (!rights || !hasFile(spec)) return bindSocket(spec);
  const { identity, umask } = rights;
  const own = umask === null ? null : process.umask(Number.parseInt(umask, 8));
  try {
    const bound = bindSocket(spec);
    if (identity !== null && typeof bound !== 'number') lchownSync(spec.address ?? '', identity.uid, identity.gid);
    return bound;
  } finally {
    if (own !== null) process.umask(own);
  }
}

const isDatagrams = (listener: Listener): boolean => listener.spec.protocol === 'udp';

const isUnix = (spec: ListenSpec): boolean => spec.addressType === -1;

/** An abstract socket (Linux: its name begins with a zero byte) has no file. */
const hasFile = (spec: ListenSpec): boolean => isUnix(spec) && !spec.address?.startsWith('\0');

function keyOf(spec: ListenSpec): string {
  return isUnix(spec)
    ? `unix:${spec.address}`
    : `${spec.protocol === 'udp' ? 'udp' : 'tcp'}:${spec.address ?? '*'}:${spec.port}:${spec.addressType}:${spec.flags}:${spec.index}`;
}

/** For people: `port 3000`, `127.0.0.1:3000`, `/run/app.sock`, `udp port 5353`. */
export function labelOf(spec: ListenSpec): string {
  if (spec.protocol === 'udp') {
    const isAny = spec.address === '0.0.0.0' || spec.address === '::';
    return `udp ${labelOf({ ...spec, protocol: 'tcp', address: isAny ? null : spec.address })}`;
  }
  if (isUnix(spec)) return spec.address ?? '';
  if (spec.address === null) return spec.port === 0 ? 'a free port' : `port ${spec.port}`;
  return spec.addressType === 6 ? `[${spec.address}]:${spec.port}` : `${spec.address}:${spec.port}`;
}

function holdUnixPath(listener: Listener): void {
  if (!hasFile(listener.spec)) return;
  const path = listener.spec.address ?? '';
  removeQuietly(heldLinkOf(path));
  try {
    linkSync(path, heldLinkOf(path));
  } catch {
    // A file system without hard links: the path is then not protected against the app's own unlink.
  }
}

/** The app has removed the path all the same (another process of its, a script): put it back from the link. */
function restoreUnixPath(listener: Listener): void {
  if (!hasFile(listener.spec) || listener.aside || listener.inherited) return;
  const path = listener.spec.address ?? '';
  try {
    if (lstatSync(path, { throwIfNoEntry: false })) return;
    linkSync(heldLinkOf(path), path);
  } catch {
    // Neither is there, or the folder is not ours to search: its clients see ENOENT, and the next start binds it anew.
  }
}

/** A master that was killed left the path and its link: both are ours to remove once nobody answers there. */
async function isStaleUnixPath(path: string): Promise<boolean> {
  const own = lstatSync(path, { throwIfNoEntry: false });
  const link = lstatSync(heldLinkOf(path), { throwIfNoEntry: false });
  if (!own || !link || own.ino !== link.ino) return false;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => resolve(true)).on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED'),
    );
    probe.on('connect', () => probe.destroy());
  });
  return !alive;
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      process.emitWarning(`cannot remove ${path}: ${(error as Error).message}`);
  }
}
