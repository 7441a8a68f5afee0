// Dependencies point one way (docs/architecture.md has the picture). `npm run lint` runs these rules, and
// test/architecture shows for each of them that a module which breaks it is found.
const OWN = ['common', 'manager', 'netdriver', 'proto', 'swarmctl', 'swarmd', 'test', 'worker'];

// What each module may use of the others. What is not listed is forbidden.
const MAY_USE = {
  common: ['proto'],
  manager: ['common', 'proto'],
  netdriver: ['common', 'proto'],
  worker: ['common', 'netdriver', 'proto'],
  swarmd: ['common', 'manager', 'netdriver', 'proto', 'worker'],
  swarmctl: ['common'],
};

// Folders that decide. The world is passed in to them: they open no file, no socket and no process.
const DECIDES = [
  'manager/(allocator|orchestrator|raft|scheduler|store)/',
  'netdriver/gossip/(attendance|failure-detector|first-syncs|gossip|peers-to-dial|tables)\\.ts$',
  'netdriver/(balancer|overlay)/plan\\.ts$',
  'netdriver/resolver/(answer|name-table|messages)\\.ts$',
];

// A file that needs one function of such a module that reads nothing of the world.
const DECIDES_WITH = {
  'manager/allocator/ip.ts': 'net', // isIP
};

const WORLD_CORE = [
  ...[
    'child_process',
    'cluster',
    'dgram',
    'dns',
    'fs',
    'http',
    'http2',
    'https',
    'inspector',
    'net',
    'os',
  ],
  ...['process', 'readline', 'timers', 'tls', 'worker_threads'],
];
const WORLD_NPM = [
  ...['@chainsafe', '@grpc', '@libp2p', 'dockerode', 'fastify', 'koffi', 'level', 'libp2p', 'pino'],
  'prom-client',
];

const onlyAllowed = ([module, allowed]) => ({
  name: `${module}-uses-only-its-layer`,
  comment: `${module} may use ${allowed.join(', ')} and nothing else of this repository.`,
  severity: 'error',
  from: { path: `^${module}/` },
  to: { path: `^(${OWN.filter((m) => m !== module && !allowed.includes(m)).join('|')})/` },
});

const throughIndex = (module) => ({
  name: `${module}-only-through-its-index`,
  comment: `What other modules need of ${module} is exported by ${module}/index.ts.`,
  severity: 'error',
  from: { pathNot: `^(${module}|test)/` },
  to: { path: `^${module}/`, pathNot: `^${module}/index\\.ts$` },
});

// Every folder and file of DECIDES, then those of DECIDES_WITH without the module that each may use.
const withoutTheWorld = [[undefined, undefined], ...Object.entries(DECIDES_WITH)].map(
  ([file, allowed]) => ({
    name: file ? `decides-without-the-world-but-${allowed}` : 'decides-without-the-world',
    comment: 'Code that decides gets clock, randomness, network, disk and kernel passed in.',
    severity: 'error',
    from: file
      ? { path: `^${file}$` }
      : { path: `^(${DECIDES.join('|')})`, pathNot: `^(${Object.keys(DECIDES_WITH).join('|')})$` },
    to: {
      path: [
        `^(${WORLD_CORE.filter((m) => m !== allowed).join('|')})(/|$)`,
        `^node_modules/(${WORLD_NPM.join('|')})/`,
      ],
    },
  }),
);

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Modules that need each other are one module. Types alone may be mutual.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-undeclared-package',
      comment: 'A package used at run time is one of the dependencies of package.json.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'] },
    },
    {
      name: 'no-dead-module',
      comment: 'Nothing that a program runs leads to this module.',
      severity: 'error',
      from: { path: '^(swarmd|swarmctl)/main\\.ts$' },
      to: {
        path: '^(common|manager|netdriver|swarmctl|swarmd|worker)/',
        // Programs begin with their main.ts. Raft is reached as the package that it is.
        pathNot: '^(swarmd|swarmctl)/main\\.ts$|^manager/raft/',
        reachable: false,
      },
    },
    ...Object.entries(MAY_USE).map(onlyAllowed),
    ...['manager', 'worker', 'netdriver'].map(throughIndex),
    {
      name: 'raft-depends-on-nothing',
      comment: 'The Raft core is a package of its own, usable without the rest.',
      severity: 'error',
      from: { path: '^manager/raft/' },
      to: { pathNot: '^manager/raft/' },
    },
    {
      name: 'raft-only-through-its-index',
      severity: 'error',
      from: { pathNot: '^(manager/raft|test)/' },
      to: {
        path: '^manager/raft/',
        pathNot: '^manager/raft/(dist/index\\.d?\\.?[jt]s|index\\.ts)$',
      },
    },
    ...withoutTheWorld,
    {
      name: 'store-knows-only-types-of-consensus',
      severity: 'error',
      from: { path: '^manager/(allocator|orchestrator|scheduler|store)/' },
      to: {
        path: '^manager/(ca|consensus|control|dispatcher|logbroker)/',
        pathNot: '^manager/consensus/types\\.ts$',
      },
    },
    {
      name: 'runtime-knows-only-types-of-engine',
      severity: 'error',
      from: { path: '^worker/runtime/' },
      to: { path: '^worker/(agent|engine)/', pathNot: '^worker/engine/types\\.ts$' },
    },
    {
      name: 'engine-knows-no-agent',
      severity: 'error',
      from: { path: '^worker/engine/' },
      to: { path: '^worker/agent/' },
    },
    {
      name: 'kernel-knows-no-netdriver',
      comment: 'The kernel adapter does what it is told; what a network is, is above it.',
      severity: 'error',
      from: { path: '^netdriver/kernel/' },
      to: { path: '^netdriver/', pathNot: '^netdriver/(kernel/|coalescer\\.ts$)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|proto/gen|manager/raft/dist' },
    exclude: { path: '^dist/' },
    // Imports of types count: they, too, say what a module knows of another.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
