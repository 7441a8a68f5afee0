import type { Service } from '../../../proto/gen/swarm/objects.ts';

type Spec = NonNullable<Parameters<typeof Service.fromPartial>[0]['spec']>;
type TaskSpec = NonNullable<Spec['task']>;

export function replicated(
  replicas: number,
  fields: Partial<Spec> = {},
  task: Partial<TaskSpec> = {},
): Spec {
  return {
    annotations: { name: 'web' },
    mode: { $case: 'replicated', replicated: { replicas } },
    task: { runtime: { $case: 'container', container: { image: 'good' } }, ...task },
    ...fields,
  };
}

export function global(fields: Partial<Spec> = {}, task: Partial<TaskSpec> = {}): Spec {
  return { ...replicated(0, fields, task), mode: { $case: 'global', global: {} } };
}
