/** `stabilize [IDS] [log-level=LEVEL]`: everybody does what there is to do, until there is nothing. */

import { checkKeys, numbers, singleValueOf } from '../arguments.ts';
import type { Argument } from '../data-file.ts';
import { deliver, hasMessagesFor } from './deliver.ts';
import type { EnvironmentNode, InteractionEnvironment } from './environment.ts';
import { processAppendThread, processApplyThread, processReady } from './process.ts';

export function stabilize(env: InteractionEnvironment, args: readonly Argument[]): void {
  checkKeys(args, ['log-level']);
  const ids = numbers(args);
  const nodes = ids.length === 0 ? env.nodes : ids.map((id) => env.node(id));
  const level = singleValueOf(args, 'log-level');
  const before = env.output.level;
  if (level !== undefined) env.output.setLevel(level);
  try {
    while (runPhases(env, nodes));
  } finally {
    env.output.level = before;
  }
}

/** Each phase for all nodes before the next; false if there was nothing to do. */
function runPhases(env: InteractionEnvironment, nodes: readonly EnvironmentNode[]): boolean {
  let isBusy = false;
  const phase = (
    title: string,
    hasWork: (node: EnvironmentNode) => boolean,
    work: (node: EnvironmentNode) => void,
  ) => {
    for (const node of nodes) {
      if (!hasWork(node)) continue;
      isBusy = true;
      env.output.write(`> ${node.id} ${title}\n`);
      env.output.indented(() => work(node));
    }
  };
  phase(
    'handling Ready',
    ({ raw }) => raw.hasReady(),
    (node) => processReady(env, node),
  );
  phase(
    'receiving messages',
    ({ id }) => hasMessagesFor(env, id),
    ({ id }) => deliver(env, { id, drop: false }),
  );
  phase('processing append thread', hasAppendWork, (node) => {
    while (hasAppendWork(node)) processAppendThread(env, node);
  });
  phase('processing apply thread', hasApplyWork, (node) => {
    while (hasApplyWork(node)) processApplyThread(env, node);
  });
  return isBusy;
}

function hasAppendWork({ appendWork }: EnvironmentNode): boolean {
  return appendWork.length > 0;
}

function hasApplyWork({ applyWork }: EnvironmentNode): boolean {
  return applyWork.length > 0;
}
