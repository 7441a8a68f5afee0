import type { TaskSpec } from '../../proto/gen/swarm/specs.ts';
import type {
  GenericResource,
  ResourceRequirements,
  Resources,
} from '../../proto/gen/swarm/types.ts';
import { parseConstraints } from '../scheduler/constraint.ts';
import { validateContainer } from './validate-container.ts';
import { negative } from './validate-duration.ts';
import { invalid } from './validate-names.ts';

const MIN_NANO_CPUS = 1e6;
const MIN_MEMORY_BYTES = 4 * 1024 * 1024;
const SPREAD_DESCRIPTOR = /^(node|engine)\.labels\..+$/i;

/** Throws SWM_INVALID_ARGUMENT for a template that could never run. */
export function validateTask(spec: TaskSpec | undefined): void {
  if (!spec?.runtime) throw invalid('TaskSpec: missing runtime');
  validateResources(spec.resources);
  validateRestart(spec);
  validatePlacement(spec);
  if (spec.runtime.$case !== 'container') {
    throw invalid(`TaskSpec: the tasks of a service run containers, not "${spec.runtime.$case}"`);
  }
  validateContainer(spec.runtime.container);
}

function validateResources(requirements: ResourceRequirements | undefined): void {
  for (const resources of [requirements?.limits, requirements?.reservations]) {
    if (resources) validateAmounts(resources);
  }
  if (requirements?.limits?.generic.length) {
    throw invalid('TaskSpec: generic resources can be reserved, not limited');
  }
  for (const resource of requirements?.reservations?.generic ?? []) validateGeneric(resource);
  const { memorySwappiness, swapBytes } = requirements ?? {};
  if (memorySwappiness !== undefined && (memorySwappiness < -1 || memorySwappiness > 100)) {
    throw invalid(
      `invalid memory swappiness ${memorySwappiness}: must be -1, or between 0 and 100`,
    );
  }
  if (swapBytes !== undefined && swapBytes < -1) {
    throw invalid(`invalid swap value ${swapBytes}: must be -1 (unlimited), or 0 or more bytes`);
  }
}

function validateAmounts({ nanoCpus, memoryBytes }: Resources): void {
  if (nanoCpus !== 0 && nanoCpus < MIN_NANO_CPUS) {
    throw invalid(`invalid cpu value ${nanoCpus / 1e9}: Must be at least ${MIN_NANO_CPUS / 1e9}`);
  }
  if (memoryBytes !== 0 && memoryBytes < MIN_MEMORY_BYTES) {
    throw invalid(`invalid memory value ${memoryBytes}: Must be at least 4MiB`);
  }
}

function validateGeneric({ resource }: GenericResource): void {
  if (resource?.$case !== 'discrete') {
    throw invalid('invalid generic resource: a task asks for a number, not for one by its name');
  }
  const { kind, value } = resource.discrete;
  if (kind === '' || value <= 0) {
    throw invalid(
      `invalid generic resource "${kind}=${value}": it needs a kind and a number above 0`,
    );
  }
}

function validateRestart({ restart }: TaskSpec): void {
  if (negative(restart?.delay)) throw invalid('TaskSpec: restart-delay cannot be negative');
  if (negative(restart?.window)) throw invalid('TaskSpec: restart-window cannot be negative');
}

function validatePlacement({ placement }: TaskSpec): void {
  parseConstraints(placement?.constraints ?? []);
  for (const { preference } of placement?.preferences ?? []) {
    const descriptor = preference?.spread.spreadDescriptor ?? '';
    if (!SPREAD_DESCRIPTOR.test(descriptor)) {
      throw invalid(
        `invalid placement preference "${descriptor}": spread over node.labels.X or engine.labels.X`,
      );
    }
  }
}
