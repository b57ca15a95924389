/** Runs in the CLI. The unit files of an app: hardened, and each setting says why it is there. Pure. */
import { NOTIFY_FD_NAME, STOPPED_FOR_GOOD } from '../../shared/service-manager.js';
import { commandLine, duration, pathAlone, plain, word } from './unit-values.js';

/** systemd.service(5): `OpenFile=` came with this version. */
const OPENS_FILES = 253;
/** `RestartSteps=` and `RestartMaxDelaySec=` came with this one. */
const BACKS_OFF = 254;

/** Who the app runs as. `dynamic`: a user of its own, that systemd makes up. `manager`: whoever's systemd it is. */
export type RunsAs = { kind: 'user'; name: string } | { kind: 'dynamic' } | { kind: 'manager' };

export interface UnitOptions {
  app: string;
  /** Major version of the systemd that is to read it. */
  systemdVersion: number;
  runsAs: RunsAs;
  /** The master starts as root, and its workers as another user: the config says so. */
  dropsPrivileges: boolean;
  /** Absolute paths. */
  node: string;
  zdsup: string;
  /** Absolute: relative paths of the config start there. */
  folder: string;
  /** What `zdsup start` is given. */
  startArgs: string[];
  /** Node's folder, where systemd's own PATH has it not. */
  extraPath: string | null;
  /** The app, Node or zdsup lie in a home folder. */
  inHome: boolean;
  /** They lie in /tmp or /var/tmp. */
  inTmp: boolean;
  /** Folders that the app may write to, absolute. */
  writable: string[];
  /** Folders of its log files, where they are not in the state folder; absolute. */
  logFolders: string[];
  stopMs: number;
  /** `ListenStream=`; none: the master binds its sockets itself. */
  sockets: string[];
  /** Where that systemd listens for what its services say. */
  notifySocket: string;
}

export const serviceName = (app: string): string => `zdsup-${app}.service`;
export const socketName = (app: string): string => `zdsup-${app}.socket`;

type Line = string | null;

/** A setting with its reason above it. */
const because = (reason: string, ...settings: Line[]): string[] => [
  ...reason.split('\n').map((line) => `# ${line}`),
  ...settings.filter((line) => line !== null),
];

export function renderService(options: UnitOptions): string {
  return sections([
    ['Unit', unitSection(options)],
    [
      'Service',
      [...runSection(options), '', ...lifeSection(options), '', ...limitSection(options), '', ...sandbox(options)],
    ],
    ['Install', [`WantedBy=${options.runsAs.kind === 'manager' ? 'default.target' : 'multi-user.target'}`]],
  ]);
}

export function renderSocket({ app, sockets }: UnitOptions): string {
  const isUnix = sockets.some((address) => /^[/@]/.test(address));
  return sections([
    ['Unit', [`Description=Sockets of ${app}, held by systemd`]],
    [
      'Socket',
      [
        ...because(
          'systemd binds them and hands them to the master. They outlive it: while no master runs, connections wait here, and none\nis refused. An app that listens on one of these addresses gets this socket.',
          ...sockets.map((address) => `ListenStream=${plain(address)}`),
        ),
        ...(isUnix
          ? because(
              'Who may connect to a unix socket: set SocketUser=, SocketGroup= and SocketMode= as you need.',
              'SocketMode=0666',
              'RemoveOnStop=yes',
            )
          : []),
        ...because('As many as the kernel allows (net.core.somaxconn) may wait.', 'Backlog=4096'),
        ...because(
          'An app that does not start is tried again by its service, in its own time: no number of starts makes systemd give the sockets up.',
          'TriggerLimitIntervalSec=0',
        ),
      ],
    ],
    ['Install', ['WantedBy=sockets.target']],
  ]);
}

const sections = (all: [string, string[]][]): string =>
  `${all.map(([name, lines]) => `[${name}]\n${lines.join('\n')}`).join('\n\n')}\n`;

function unitSection({ app, runsAs, sockets }: UnitOptions): string[] {
  return [
    `Description=${app}, a Node.js app that zdsup supervises`,
    ...(runsAs.kind === 'manager' ? [] : ['Wants=network-online.target', 'After=network-online.target']),
    ...(sockets.length > 0
      ? because(
          'Its sockets are there before it, and stay when it goes.',
          `Requires=${socketName(app)}`,
          `After=${socketName(app)}`,
        )
      : []),
    ...because(
      'A database that is away for the night must not become an outage of the morning: systemd never gives up.',
      'StartLimitIntervalSec=0',
    ),
  ];
}

function runSection({
  app,
  systemdVersion,
  runsAs,
  node,
  zdsup,
  folder,
  startArgs,
  extraPath,
  notifySocket,
}: UnitOptions): string[] {
  const isSystem = runsAs.kind !== 'manager';
  return [
    ...because('Active only when the first generation serves: the master says so.', 'Type=notify'),
    ...(systemdVersion >= OPENS_FILES
      ? because(
          'The master speaks to systemd through this socket, and nobody else may: no worker can speak in its name.',
          `OpenFile=${plain(notifySocket)}:${NOTIFY_FD_NAME}:graceful`,
          'NotifyAccess=main',
        )
      : because(
          'Node opens no socket of the kind that systemd listens on: the program systemd-notify speaks for the master, as a child of it.\n(From systemd 253 on zdsup writes OpenFile= here, and NotifyAccess=main.)',
          'NotifyAccess=all',
        )),
    ...(runsAs.kind === 'user' ? [`User=${plain(runsAs.name)}`] : []),
    ...(runsAs.kind === 'dynamic'
      ? because(
          'The files belong to root, and a server needs not be root to serve: a user of its own, who may only read them.\nAnother one: zdsup systemd install --run-as <user>.',
          'DynamicUser=yes',
          `Environment=HOME=/var/lib/zdsup/${app}`,
        )
      : []),
    `WorkingDirectory=${pathAlone(folder) ?? '/'}`,
    ...because(
      'Settings of the app, such as PORT=3000; read at the start of the master. It may be missing. Config files and env files of\nthe app (envFile) are read again at each reload, and need no entry here.',
      `EnvironmentFile=-${isSystem ? '/etc' : '%E'}/zdsup/${app}.env`,
    ),
    ...(extraPath === null
      ? []
      : [`Environment=${word(`PATH=${extraPath}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`)}`]),
    ...(isSystem
      ? because(
          "Control socket, journal and releases, where root's zdsup command looks for them.",
          `RuntimeDirectory=zdsup/${app}`,
          `StateDirectory=zdsup/${app}`,
          'RuntimeDirectoryMode=0700',
          'StateDirectoryMode=0700',
        )
      : []),
    `ExecStart=${commandLine([node, zdsup, 'start', ...startArgs])}`,
    ...because(
      'Waits until the new generation serves and the old one has gone, so that systemctl reload fails where the release is bad.\n(Type=notify-reload could not tell: it only knows that a reload is over.)',
      `ExecReload=${commandLine([node, zdsup, 'reload', app])}`,
    ),
  ];
}

function lifeSection({ systemdVersion, stopMs }: UnitOptions): string[] {
  return [
    ...because(
      `A master that ends is started again, however it ended; but one that zdsup stop has ended (exit status ${STOPPED_FOR_GOOD}) stays away.`,
      'Restart=always',
      `RestartPreventExitStatus=${STOPPED_FOR_GOOD}`,
      `SuccessExitStatus=${STOPPED_FOR_GOOD}`,
      'RestartSec=1s',
      ...(systemdVersion >= BACKS_OFF ? ['RestartSteps=5', 'RestartMaxDelaySec=30s'] : []),
    ),
    ...because(
      'A start and a reload have deadlines of their own (ready.deadline and others): while the master lives it asks for more time.',
      'TimeoutStartSec=90s',
    ),
    ...because(
      'Requests in flight, those of orphans included, are answered within stopTimeout, drainTimeout and killTimeout of the config;\nthen whoever is left is killed. zdsup systemd install writes it anew when these have changed.',
      `TimeoutStopSec=${duration(stopMs)}`,
    ),
    ...because(
      'TERM goes to all: the master stops the app, and workers let only the master tell them when. Where it is dead they drain by\nthemselves, for which they get TimeoutStopSec. KillMode=mixed would kill them at once.',
      'KillMode=control-group',
    ),
    ...because(
      'The master says that it is well while its queue turns and at least one worker serves or starts. One that does not is told to\nstop (TERM), and killed 10 s later; workers serve on until then (ABRT, the default, would end them all at once).',
      'WatchdogSec=30s',
      'WatchdogSignal=SIGTERM',
      'TimeoutAbortSec=10s',
    ),
  ];
}

function limitSection({ runsAs }: UnitOptions): string[] {
  return [
    ...because(
      'A worker that the kernel takes for its memory is replaced; systemd need not stop the rest.',
      'OOMPolicy=continue',
    ),
    ...because(
      'For all of its processes together; with instances: 2 and more, workers are the ones that go.',
      '#MemoryMax=2G',
    ),
    ...because('Processes and threads.', 'TasksMax=4096'),
    ...(runsAs.kind === 'manager' ? [] : because('Each connection takes a descriptor.', 'LimitNOFILE=524288')),
  ];
}

function sandbox(options: UnitOptions): string[] {
  const always = [
    ...because(
      'No program of it gets more rights than it has (setuid).',
      'NoNewPrivileges=yes',
      'RestrictSUIDSGID=yes',
    ),
    ...because('No MemoryDenyWriteExecute: V8 compiles JavaScript to machine code.', 'LockPersonality=yes'),
    ...because('No process ahead of all others.', 'RestrictRealtime=yes'),
    ...because(
      'The network, local sockets, and the list of network interfaces (netlink); no raw packets.',
      'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    ),
    ...because(
      'What a service needs of the kernel: no mounts, no modules, no clock, no debugging. What is denied fails, and does not kill.',
      'SystemCallFilter=@system-service',
      'SystemCallErrorNumber=EPERM',
      'SystemCallArchitectures=native',
    ),
  ];
  return options.runsAs.kind === 'manager'
    ? always
    : [...capabilities(options), ...files(options), ...host(), ...always];
}

function capabilities({ dropsPrivileges, sockets, runsAs }: UnitOptions): string[] {
  if (dropsPrivileges)
    return because(
      'The master is root, to bind its ports and to start workers as the user of the config: only what that takes.',
      'CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_KILL CAP_CHOWN CAP_DAC_OVERRIDE CAP_SYS_RESOURCE',
    );
  const isRoot = runsAs.kind === 'user' && runsAs.name === 'root';
  return because(
    isRoot
      ? 'Of the rights of root, that to ports below 1024 alone.'
      : 'No right of root. Ports below 1024 are for systemd to bind: zdsup systemd install --socket 80.\n(With AmbientCapabilities=CAP_NET_BIND_SERVICE instead, zdsup deploy could no longer see which releases are in use.)',
    `CapabilityBoundingSet=${isRoot && sockets.length === 0 ? 'CAP_NET_BIND_SERVICE' : ''}`,
  );
}

/** What systemd makes, and gives to the unit's user (LogsDirectory= in systemd.exec(5)). */
const LOGS = '/var/log/';

function files({ inHome, inTmp, writable, logFolders, dropsPrivileges }: UnitOptions): string[] {
  const made = logFolders.filter((folder) => folder.startsWith(LOGS));
  const found = logFolders.filter((folder) => !made.includes(folder));
  return [
    ...because(
      'All files are read-only, but for the state folder, /tmp, and those named here. Add the folders that the app writes to.',
      'ProtectSystem=strict',
      ...[...new Set([...writable, ...found])].map((folder) => `ReadWritePaths=${word(`-${folder}`)}`),
    ),
    ...(made.length === 0
      ? []
      : because(
          'The folder of its log files is made, and its own.',
          ...made.map((folder) => `LogsDirectory=${word(folder.slice(LOGS.length))}`),
        )),
    ...(inHome
      ? because(
          'The app, Node or zdsup lie in a home folder, which would otherwise be hidden: it can be read. (Node of a version manager such\nas nvm goes with its version: run zdsup systemd install again when you change it.)',
          'ProtectHome=read-only',
        )
      : because('Home folders are hidden: nothing of it lies there.', 'ProtectHome=yes')),
    ...(inTmp
      ? ['# No PrivateTmp: the app, Node or zdsup lie in /tmp.']
      : because(
          'A /tmp of its own, emptied at each start. Unix sockets for others belong below /run.',
          'PrivateTmp=yes',
        )),
    ...because('What it leaves in shared memory goes with it.', 'RemoveIPC=yes'),
    ...because('No disks, no cameras.', 'PrivateDevices=yes'),
    ...(dropsPrivileges ? [] : because("Other users' processes are hidden.", 'ProtectProc=invisible')),
    ...because('What it makes is not for everybody to read.', 'UMask=0027'),
  ];
}

const host = (): string[] =>
  because(
    'The host itself is none of its business: settings and modules of the kernel, its log, control groups, clock, name, namespaces.',
    'ProtectKernelTunables=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelLogs=yes',
    'ProtectControlGroups=yes',
    'ProtectClock=yes',
    'ProtectHostname=yes',
    'RestrictNamespaces=yes',
  );
