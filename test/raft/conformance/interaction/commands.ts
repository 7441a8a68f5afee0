/** The commands on clusters: each name and what it does. */

import { describeMessage, MessageType, message } from '../../../../manager/raft/index.ts';
import {
  CommandError,
  flagOf,
  named,
  namedNumbers,
  numbers,
  parseNumber,
  positionals,
  requiredNumber,
} from '../arguments.ts';
import type { Argument, Command } from '../data-file.ts';
import { addNodes } from './add-nodes.ts';
import { bytesOf } from './bytes.ts';
import { deliverMessages } from './deliver.ts';
import type { EnvironmentNode, InteractionEnvironment } from './environment.ts';
import { printRaftLog, printRaftState, printStatus } from './inspect.ts';
import { processAppendThread, processApplyThread, processReady } from './process.ts';
import { propose, proposeConfChange } from './propose.ts';
import { stabilize } from './stabilize.ts';

/** Returns the output: `ok` if nothing was printed. An error is printed too, even at level `none`. */
export function runInteractionCommand(env: InteractionEnvironment, command: Command): string {
  const { output } = env;
  output.reset();
  try {
    run(env, command);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (output.isQuiet) return error.message;
    output.write(error.message);
  }
  return output.text === '' ? 'ok' : output.text;
}

function run(env: InteractionEnvironment, { name, args, input }: Command): void {
  const handler = HANDLERS[name];
  if (handler === undefined) throw new CommandError(`unknown command "${name}"`);
  handler(env, args, input);
}

/** `input` are the lines between the directive and the output. Only one of the commands has any. */
type Handler = (env: InteractionEnvironment, args: readonly Argument[], input: string) => void;

const HANDLERS: Readonly<Record<string, Handler>> = {
  // A place to stop at with a debugger.
  _breakpoint: () => {},
  'add-nodes': addNodes,
  campaign: onNode(({ raw }) => raw.campaign()),
  compact,
  'deliver-msgs': deliverMessages,
  'forget-leader': onNode(({ raw }) => raw.forgetLeader()),
  'log-level': (env, args) => env.output.setLevel(positionals(args)[0] ?? ''),
  'process-append-thread': onNodes('processing append thread', processAppendThread),
  'process-apply-thread': onNodes('processing apply thread', processApplyThread),
  'process-ready': onNodes('handling Ready', processReady),
  propose,
  'propose-conf-change': proposeConfChange,
  'raft-log': onNode((node, env) => printRaftLog(env, node)),
  'raft-state': printRaftState,
  'read-index': readIndex,
  'report-snapshot': (env, args) => {
    // `report-snapshot FROM TO ok=true|false`, an addition of ours.
    const [from, to] = namedNumbers(args, 'FROM', 'TO');
    env.node(from!).raw.reportSnapshot(to!, flagOf(args, 'ok') ?? true);
  },
  'report-unreachable': (env, args) => {
    const [from, to] = namedNumbers(args, 'FROM', 'TO');
    env.node(from!).raw.reportUnreachable(to!);
  },
  'send-snapshot': sendSnapshot,
  'set-randomized-election-timeout': (env, args) => {
    const [id] = namedNumbers(args, 'ID');
    env.node(id!).raw.raft.randomizedElectionTimeout = requiredNumber(args, 'timeout');
  },
  stabilize,
  status: onNode((node, env) => printStatus(env, node)),
  'tick-election': onNode(({ raw, config }) => tickTimes(raw, config.electionTick)),
  'tick-heartbeat': onNode(({ raw, config }) => tickTimes(raw, config.heartbeatTick)),
  'transfer-leadership': (env, args) =>
    env.node(requiredNumber(args, 'from')).raw.transferLeader(requiredNumber(args, 'to')),
};

function onNode(act: (node: EnvironmentNode, env: InteractionEnvironment) => void): Handler {
  return (env, args) => act(env.node(namedNumbers(args, 'ID')[0]!), env);
}

/** With several nodes each gets a header. */
function onNodes(
  title: string,
  act: (env: InteractionEnvironment, node: EnvironmentNode) => void,
): Handler {
  return (env, args) => {
    const ids = numbers(args);
    for (const id of ids) {
      const node = env.node(id);
      if (ids.length === 1) {
        act(env, node);
        continue;
      }
      env.output.write(`> ${id} ${title}\n`);
      env.output.indented(() => act(env, node));
    }
  };
}

/** `read-index ID TEXT`, an addition of ours: the answer comes in a Ready, with the text as its context. */
function readIndex(env: InteractionEnvironment, args: readonly Argument[]): void {
  const [id, text] = named(args, 'ID', 'TEXT');
  env.node(parseNumber(id!)).raw.readIndex(bytesOf(text!));
}

function tickTimes(raw: EnvironmentNode['raw'], count: number): void {
  for (let i = 0; i < count; i++) raw.tick();
}

/** `compact ID INDEX`: drops the log up to the index and prints the rest. */
function compact(env: InteractionEnvironment, args: readonly Argument[]): void {
  const [id, index] = namedNumbers(args, 'ID', 'INDEX');
  const node = env.node(id!);
  node.storage.compact(index!);
  printRaftLog(env, node);
}

/** `send-snapshot FROM TO`: puts a snapshot on the wire that nobody has asked for. */
function sendSnapshot(env: InteractionEnvironment, args: readonly Argument[]): void {
  const [from, to] = namedNumbers(args, 'FROM', 'TO');
  const { raw, storage } = env.node(from!);
  const m = message({
    type: MessageType.Snap,
    from,
    to,
    term: raw.raft.term,
    snapshot: storage.snapshot(),
  });
  env.messages.push(m);
  env.output.write(describeMessage(m));
}
