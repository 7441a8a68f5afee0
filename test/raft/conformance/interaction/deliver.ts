/** Messages from the wire into the nodes, or nowhere. */

import {
  describeMessage,
  isStorageThread,
  type Message,
  type MessageType,
  messageTypeName,
  RaftError,
  MessageType as Types,
} from '../../../../manager/raft/index.ts';
import { CommandError, checkKeys, parseNumber, singleValueOf } from '../arguments.ts';
import type { Argument } from '../data-file.ts';
import type { InteractionEnvironment } from './environment.ts';

export interface Recipient {
  readonly id: number;
  readonly drop: boolean;
}

/** `deliver-msgs IDS [drop=(IDS)] [type=MsgApp]` */
export function deliverMessages(env: InteractionEnvironment, args: readonly Argument[]): void {
  checkKeys(args, ['drop', 'type']);
  const recipients = recipientsOf(args);
  const name = singleValueOf(args, 'type');
  const type = Object.values(Types).find((each) => messageTypeName(each) === name);
  if (name !== undefined && type === undefined)
    throw new CommandError(`unknown message type ${name}`);
  let count = 0;
  for (const recipient of recipients) count += deliver(env, recipient, type);
  if (count === 0) env.output.write('no messages\n');
}

/** In the order in which they are named. */
function recipientsOf(args: readonly Argument[]): Recipient[] {
  const recipients: Recipient[] = [];
  for (const { key, values } of args) {
    if (values.length === 0) recipients.push({ id: parseNumber(key), drop: false });
    if (key !== 'drop') continue;
    for (const id of values.map(parseNumber)) {
      if (recipients.some((each) => each.id === id)) {
        throw new CommandError(`messages to ${id} can't be both delivered and dropped`);
      }
      recipients.push({ id, drop: true });
    }
  }
  return recipients;
}

/** Delivers what has been sent to the recipient until now; returns how much that was. */
export function deliver(
  env: InteractionEnvironment,
  { id, drop }: Recipient,
  type?: MessageType,
): number {
  const isMeant = (m: Message) => isFor(m, id, type) && !(drop && isLocal(m));
  const meant = env.messages.filter(isMeant);
  env.messages = env.messages.filter((m) => !isMeant(m));
  for (const m of meant) {
    env.output.write(`${drop ? 'dropped: ' : ''}${describeMessage(m)}\n`);
    if (!drop) stepInto(env, m);
  }
  return meant.length;
}

export function hasMessagesFor(env: InteractionEnvironment, id: number): boolean {
  return env.messages.some((m) => isFor(m, id));
}

function isFor(m: Message, id: number, type?: MessageType): boolean {
  return m.to === id && (type === undefined || m.type === type);
}

/** These do not cross the network, so they cannot get lost. */
function isLocal(m: Message): boolean {
  return m.from === m.to || isStorageThread(m.from) || isStorageThread(m.to);
}

function stepInto(env: InteractionEnvironment, m: Message): void {
  try {
    env.node(m.to).raw.step(m);
  } catch (error) {
    if (!(error instanceof RaftError)) throw error;
    env.output.write(`${error.message}\n`);
  }
}
