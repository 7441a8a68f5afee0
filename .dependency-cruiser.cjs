// Dependencies point one way (docs/architecture.md): swarmctl stands alone, swarmd composes manager,
// worker and netdriver, and no module reaches into another except through its index.ts.
const outside = (module) => ({
  name: `${module}-only-through-its-index`,
  comment: `What other modules need of ${module} is exported by ${module}/index.ts.`,
  severity: 'error',
  from: { pathNot: `^(${module}|test)/` },
  to: { path: `^${module}/`, pathNot: `^${module}/index\\.ts$` },
});

const never = (name, from, to) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: to },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { ...outside('manager'), to: { path: '^manager/', pathNot: '^manager/(index\\.ts$|raft/)' } },
    outside('worker'),
    outside('netdriver'),
    never('manager-knows-no-worker', '^manager/', '^(worker|netdriver|swarmd|swarmctl)/'),
    never('worker-knows-no-manager', '^worker/', '^(manager|swarmd|swarmctl)/'),
    never('netdriver-knows-nobody', '^netdriver/', '^(manager|worker|swarmd|swarmctl)/'),
    never('swarmctl-speaks-http', '^swarmctl/', '^(manager|worker|netdriver|swarmd|proto)/'),
    never('common-is-a-leaf', '^common/', '^(manager|worker|netdriver|swarmd|swarmctl)/'),
    never(
      'raft-depends-on-nothing',
      '^manager/raft/',
      '^(node_modules|common|proto|worker|netdriver)/|^(fs|net|os|child_process|timers)$',
    ),
    {
      name: 'no-test-code',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|proto/gen' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
